//! The rules of selection by name: those that choose a sender and those that remove one.
//!
//! Names are API: `x/v1/Explain` returns them, stored decisions hold their numbers. Both are only
//! ever added to. `docs/sender-selection.md` lists them with what they mean; a test compares.

use std::fmt;

/// One table: stored number, name in Rust, name in the API, words for people.
macro_rules! rules {
    ($($number:literal $rule:ident $name:literal $words:literal;)*) => {
        /// Why a sender was chosen, or what removed it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Rule {
            $($rule = $number,)*
        }

        impl Rule {
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }

            /// The name in words, as a person would say it.
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$rule => $words,)*
                }
            }

            /// The stored form.
            pub fn from_u8(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$rule),)*
                    _ => None,
                }
            }
        }
    };
}

rules! {
    // Choices, in the order in which they are tried.
    1 ExplicitFrom "explicit_from" "explicit from";
    2 StickySender "sticky_sender" "sticky sender";
    3 ShortCode "short_code" "short code";
    4 DestinationAlpha "destination_alpha" "destination alpha sender";
    5 AlphaSender "alpha_sender" "alpha sender";
    6 CountryGeomatch "country_geomatch" "country geomatch";
    7 UsFallback "us_fallback" "US fallback";
    8 AnyCountry "any_country" "any country";
    9 AreaCodeMatch "area_code_match" "area code match";
    10 AreaCodeOverlay "area_code_overlay" "area code overlay";
    11 FewestMappings "fewest_mappings" "fewest mappings";
    12 Idle "idle" "idle";
    13 EarliestDrain "earliest_drain" "earliest drain";
    14 LeastRecentlyUsed "least_recently_used" "least recently used";
    15 PoolOrder "pool_order" "pool order";

    // Removals. Their numbers say nothing of the order in which they are asked.
    32 NotNamed "not_named" "not named";
    33 OtherChannel "other_channel" "other channel";
    // Of decisions that were stored before each status had its own rule, below.
    34 NotUsable "not_usable" "not usable";
    35 ShortCodeOfOtherCountry "short_code_of_other_country" "short code of another country";
    36 AlphaNotSupported "alpha_not_supported" "alpha not supported";
    37 AlphaOfOtherCountry "alpha_of_other_country" "alpha of another country";
    38 AlphaWithoutMedia "alpha_without_media" "alpha without media";
    39 NoSms "no_sms" "no SMS";
    40 NoMms "no_mms" "no MMS";
    41 MmsNotRouted "mms_not_routed" "MMS not routed";
    42 NotSticky "not_sticky" "not the sticky sender";
    43 NetworkNotServed "network_not_served" "network not served";
    44 ShortCodePreferred "short_code_preferred" "short code preferred";
    45 DestinationAlphaPreferred "destination_alpha_preferred" "destination alpha preferred";
    46 AlphaPreferred "alpha_preferred" "alpha preferred";
    47 OtherCountry "other_country" "other country";
    48 OtherAreaCode "other_area_code" "other area code";
    49 QueueFull "queue_full" "queue full";
    50 MoreMappings "more_mappings" "more mappings";
    51 Busy "busy" "busy";
    52 LaterDrain "later_drain" "later drain";
    53 MoreRecentlyUsed "more_recently_used" "more recently used";
    54 LaterInPool "later_in_pool" "later in pool";
    55 DailyCapReached "daily_cap_reached" "daily cap reached";
    56 OwnNumber "own_number" "own number";
    57 Suspended "suspended" "suspended";
    58 Porting "porting" "being ported";
    59 Pending "pending" "registration pending";

    // What was chosen, and could not have the message all the same.
    60 NotRegistered "not_registered" "not registered";
    61 NoRoute "no_route" "no route";
    62 MediaNotCarried "media_not_carried" "media not carried";
    63 OptedOut "opted_out" "opted out";
}

impl Rule {
    /// Whether it removes the sender that all others had lost to.
    pub(super) fn is_after_the_choice(self) -> bool {
        matches!(
            self,
            Self::NotRegistered | Self::NoRoute | Self::MediaNotCarried | Self::OptedOut
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_survive_storage() {
        for (index, &rule) in Rule::ALL.iter().enumerate() {
            assert_eq!(Rule::from_u8(rule as u8), Some(rule));
            assert!(
                rule.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
            );
            for &earlier in &Rule::ALL[..index] {
                assert!(earlier < rule);
                assert_ne!(earlier.as_str(), rule.as_str());
            }
        }
        assert_eq!(Rule::from_u8(0), None);
        assert_eq!(Rule::from_u8(16), None);
    }

    #[test]
    fn the_documentation_lists_every_rule_and_no_other() {
        let page = include_str!("../../../../docs/sender-selection.md");
        let (_, section) = page.split_once("## All rules").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let mut listed: Vec<_> = section.split('`').skip(1).step_by(2).collect();
        let mut rules: Vec<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        listed.sort_unstable();
        rules.sort_unstable();
        assert_eq!(listed, rules);
    }
}
