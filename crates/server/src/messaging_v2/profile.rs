//! The profile of a channel sender: how the business presents itself to its recipients.

use postrider_core::settings::{ChannelProfile, Labeled};
use serde::Serialize;

use super::channels_senders::{set, short, url};
use crate::error::Refusal;
use crate::json_form::{Entry, JsonForm, invalid};

/// Entries of a list in a profile.
const ENTRIES_MAX: usize = 10;

#[derive(Debug)]
pub(super) struct ProfileForm {
    name: Option<String>,
    about: Option<String>,
    address: Option<String>,
    description: Option<String>,
    logo_url: Option<String>,
    banner_url: Option<String>,
    privacy_url: Option<String>,
    terms_of_service_url: Option<String>,
    accent_color: Option<String>,
    vertical: Option<String>,
    websites: Option<Vec<Labeled>>,
    emails: Option<Vec<Labeled>>,
    phone_numbers: Option<Vec<Labeled>>,
}

impl ProfileForm {
    pub(super) fn read(mut form: JsonForm) -> Result<Self, Refusal> {
        Ok(Self {
            name: form.text("name")?,
            about: form.text("about")?,
            address: form.text("address")?,
            description: form.text("description")?,
            logo_url: form.text("logo_url")?,
            banner_url: form.text("banner_url")?,
            privacy_url: form.text("privacy_url")?,
            terms_of_service_url: form.text("terms_of_service_url")?,
            accent_color: form.text("accent_color")?,
            vertical: form.text("vertical")?,
            websites: read_list(&mut form, "websites", "website")?,
            emails: read_list(&mut form, "emails", "email")?,
            phone_numbers: read_list(&mut form, "phone_numbers", "phone_number")?,
        })
    }

    /// The lengths are WhatsApp's.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        for (text, name, most) in [
            (self.name.as_deref(), "profile.name", 256),
            (self.about.as_deref(), "profile.about", 139),
            (self.address.as_deref(), "profile.address", 256),
            (self.description.as_deref(), "profile.description", 512),
            (self.accent_color.as_deref(), "profile.accent_color", 16),
            (self.vertical.as_deref(), "profile.vertical", 64),
        ] {
            short(text, name, most)?;
        }
        for (text, name) in [
            (self.logo_url.as_deref(), "profile.logo_url"),
            (self.banner_url.as_deref(), "profile.banner_url"),
            (self.privacy_url.as_deref(), "profile.privacy_url"),
            (
                self.terms_of_service_url.as_deref(),
                "profile.terms_of_service_url",
            ),
        ] {
            url(text, name)?;
        }
        for (entries, name) in [
            (&self.websites, "profile.websites"),
            (&self.emails, "profile.emails"),
            (&self.phone_numbers, "profile.phone_numbers"),
        ] {
            check_entries(entries.as_deref().unwrap_or_default(), name)?;
        }
        Ok(())
    }

    pub(super) fn apply(self, profile: &mut ChannelProfile) {
        set(&mut profile.name, self.name);
        set(&mut profile.about, self.about);
        set(&mut profile.address, self.address);
        set(&mut profile.description, self.description);
        set(&mut profile.logo_url, self.logo_url);
        set(&mut profile.banner_url, self.banner_url);
        set(&mut profile.privacy_url, self.privacy_url);
        set(&mut profile.terms_of_service_url, self.terms_of_service_url);
        set(&mut profile.accent_color, self.accent_color);
        set(&mut profile.vertical, self.vertical);
        set_list(&mut profile.websites, self.websites);
        set_list(&mut profile.emails, self.emails);
        set_list(&mut profile.phone_numbers, self.phone_numbers);
    }
}

/// Entries with what the list is of and a label; older SDKs give the text alone.
fn read_list(
    form: &mut JsonForm,
    name: &str,
    member: &str,
) -> Result<Option<Vec<Labeled>>, Refusal> {
    let read = |entry| match entry {
        Entry::Text(value) => Ok(Labeled { value, label: None }),
        Entry::Object(mut entry) => {
            let value = match entry.text(member)? {
                Some(value) => value,
                // Checked with the others.
                None => entry.text("value")?.unwrap_or_default(),
            };
            let label = entry.text("label")?;
            Ok(Labeled { value, label })
        }
    };
    let entries = form.list(name)?.map(|list| list.into_iter().map(read));
    entries.map(Iterator::collect).transpose()
}

fn check_entries(entries: &[Labeled], name: &str) -> Result<(), Refusal> {
    if entries.len() > ENTRIES_MAX {
        return Err(invalid(format!(
            "'{name}' has more than {ENTRIES_MAX} entries"
        )));
    }
    for Labeled { value, label } in entries {
        let is_short = (1..=256).contains(&value.chars().count());
        let label = label.as_deref().unwrap_or_default();
        let has_short_label = label.chars().count() <= 64;
        if !is_short || !has_short_label {
            let text = format!("'{name}' has an entry that is empty or too long");
            return Err(invalid(text));
        }
    }
    Ok(())
}

/// An empty list clears.
fn set_list(setting: &mut Option<Vec<Labeled>>, entries: Option<Vec<Labeled>>) {
    if let Some(entries) = entries {
        *setting = Some(entries).filter(|entries| !entries.is_empty());
    }
}

#[derive(Serialize)]
pub(super) struct ProfileJson<'a> {
    name: Option<&'a str>,
    about: Option<&'a str>,
    address: Option<&'a str>,
    description: Option<&'a str>,
    logo_url: Option<&'a str>,
    banner_url: Option<&'a str>,
    privacy_url: Option<&'a str>,
    terms_of_service_url: Option<&'a str>,
    accent_color: Option<&'a str>,
    vertical: Option<&'a str>,
    websites: Option<Vec<WebsiteJson<'a>>>,
    emails: Option<Vec<EmailJson<'a>>>,
    phone_numbers: Option<Vec<PhoneNumberJson<'a>>>,
}

#[derive(Serialize)]
struct WebsiteJson<'a> {
    website: &'a str,
    label: Option<&'a str>,
}

#[derive(Serialize)]
struct EmailJson<'a> {
    email: &'a str,
    label: Option<&'a str>,
}

#[derive(Serialize)]
struct PhoneNumberJson<'a> {
    phone_number: &'a str,
    label: Option<&'a str>,
}

impl<'a> ProfileJson<'a> {
    pub(super) fn new(profile: &'a ChannelProfile) -> Self {
        Self {
            name: profile.name.as_deref(),
            about: profile.about.as_deref(),
            address: profile.address.as_deref(),
            description: profile.description.as_deref(),
            logo_url: profile.logo_url.as_deref(),
            banner_url: profile.banner_url.as_deref(),
            privacy_url: profile.privacy_url.as_deref(),
            terms_of_service_url: profile.terms_of_service_url.as_deref(),
            accent_color: profile.accent_color.as_deref(),
            vertical: profile.vertical.as_deref(),
            websites: list(profile.websites.as_ref(), |website, label| WebsiteJson {
                website,
                label,
            }),
            emails: list(profile.emails.as_ref(), |email, label| EmailJson {
                email,
                label,
            }),
            phone_numbers: list(profile.phone_numbers.as_ref(), |phone_number, label| {
                PhoneNumberJson {
                    phone_number,
                    label,
                }
            }),
        }
    }
}

fn list<'a, T>(
    entries: Option<&'a Vec<Labeled>>,
    show: impl Fn(&'a str, Option<&'a str>) -> T,
) -> Option<Vec<T>> {
    let shown = |entry: &'a Labeled| show(&entry.value, entry.label.as_deref());
    entries.map(|entries| entries.iter().map(shown).collect())
}
