//! `postrider explain`: why a message came from its sender, or which sender it would come from.
//!
//! Asks the running server, which knows queues and sticky recipients as they are at this instant.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use postrider_core::settings::{AccountStatus, Document};
use postrider_core::sid::{AccountSid, ServiceSid};
use postrider_engine::directory::Directory;
use postrider_engine::secrets::Vault;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};
use url::Url;

use crate::cli::{Explain, Source};
use crate::{DONE, instance_key, output, serve};

const DEFAULT_URL: &str = "http://127.0.0.1:8080";
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn explain(arguments: &Explain, is_json: bool) -> anyhow::Result<u8> {
    let explanation = Server::find(arguments)?.explain(arguments, is_json)?;
    if is_json {
        output::json(&serde_json::from_str::<Value>(&explanation)?)?;
    } else {
        let lines = explanation.lines().map(output::printable);
        lines.for_each(output::line);
    }
    Ok(DONE)
}

/// A running server, and who may ask it.
struct Server {
    url: String,
    agent: Agent,
    askers: Vec<Asker>,
}

struct Asker {
    account: AccountSid,
    token: Arc<str>,
}

impl Server {
    fn find(arguments: &Explain) -> anyhow::Result<Self> {
        let mut url = arguments.url.clone();
        let askers = match (&arguments.account_sid, &arguments.auth_token) {
            (Some(account), Some(token)) => vec![Asker {
                account: *account,
                token: token.as_str().into(),
            }],
            _ if arguments.config.is_none() && arguments.data_dir.is_none() => bail!(
                "say who asks: --config or --data-dir on the server's machine, \
                 elsewhere TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
            ),
            (account, _) => {
                let source = Source {
                    config: arguments.config.clone(),
                    data_dir: arguments.data_dir.clone(),
                };
                let config = serve::read(&source)?;
                url = url.or_else(|| Some(url_of(&config.server.listen)));
                let directory = config.store.directory();
                let directory = directory.context("store.url names no directory")?;
                askers(&directory, arguments.service, *account)?
            }
        };
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build();
        Ok(Self {
            url: url.unwrap_or_else(|| DEFAULT_URL.to_owned()),
            agent: config.into(),
            askers,
        })
    }

    /// The first answer that is not "no such message": only its own account sees one.
    fn explain(&self, arguments: &Explain, is_json: bool) -> anyhow::Result<String> {
        let mut last = None;
        for asker in &self.askers {
            let (status, answer) = self.ask(asker, arguments, is_json)?;
            if (200..300).contains(&status) {
                return Ok(answer);
            }
            last = Some((status, answer));
            // A closed account may not ask, and has no say in what others may.
            if !matches!(status, 403 | 404) {
                break;
            }
        }
        let (status, answer) = last.context("there is no account that could ask")?;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        match (answer["code"].as_u64(), answer["message"].as_str()) {
            (Some(code), Some(message)) => bail!("{message} ({code})"),
            _ => bail!("{} answered {status}, and not as Postrider does", self.url),
        }
    }

    fn ask(
        &self,
        asker: &Asker,
        arguments: &Explain,
        is_json: bool,
    ) -> anyhow::Result<(u16, String)> {
        let url = self.address(asker, arguments)?;
        let form = if is_json {
            "application/json"
        } else {
            "text/plain"
        };
        let asked = if arguments.message.is_some() {
            self.agent.get(url.as_str()).header("accept", form).call()
        } else {
            let request = self.agent.post(url.as_str()).header("accept", form);
            request.send_form(fields(arguments))
        };
        let mut response: Response<Body> =
            asked.with_context(|| format!("no server answers at {}", self.url))?;
        if !response.headers().contains_key("twilio-request-id") {
            bail!("what answers at {} is no Postrider", self.url);
        }
        let body = response.body_mut().read_to_string();
        let body = body.with_context(|| format!("{} broke off its answer", self.url))?;
        Ok((response.status().as_u16(), body))
    }

    /// With the credentials in it: they become the `Authorization` header.
    fn address(&self, asker: &Asker, arguments: &Explain) -> anyhow::Result<Url> {
        let base = self.url.trim_end_matches('/');
        let path = match arguments.message {
            Some(sid) => format!("{base}/x/v1/Explain/{sid}"),
            None => format!("{base}/x/v1/Explain"),
        };
        let mut url = Url::parse(&path).with_context(|| format!("{base} is no URL"))?;
        let has_host = url.set_username(&asker.account.to_string()).is_ok()
            && url.set_password(Some(&asker.token)).is_ok();
        if !has_host {
            bail!("{base} names no host");
        }
        Ok(url)
    }
}

/// The parameters of a message that does not exist.
fn fields(arguments: &Explain) -> Vec<(&'static str, String)> {
    let service = arguments.service.map(|service| service.to_string());
    let single = [
        ("To", arguments.to.clone()),
        ("MessagingServiceSid", service),
        ("From", arguments.from.clone()),
        ("Body", arguments.body.clone()),
        ("RecipientNetwork", arguments.network.clone()),
    ];
    let single = single
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let media = arguments.media.iter().map(|url| ("MediaUrl", url.clone()));
    single.chain(media).collect()
}

/// Where a server that listens there is reached from the same machine.
fn url_of(listen: &str) -> String {
    let (host, port) = listen.rsplit_once(':').unwrap_or((listen, "80"));
    let host = match host {
        "0.0.0.0" | "" => "127.0.0.1",
        "[::]" => "[::1]",
        host => host,
    };
    format!("http://{host}:{port}")
}

/// The accounts whose message or service it may be: the named one, the service's, or all.
fn askers(
    directory: &Path,
    service: Option<ServiceSid>,
    account: Option<AccountSid>,
) -> anyhow::Result<Vec<Asker>> {
    if !directory.join("control.db").exists() {
        bail!("there is no Postrider data in {}", directory.display());
    }
    let documents = postrider_store::sqlite::documents(directory)?;
    let key = instance_key::of_directory(directory, true)?;
    let owner = documents.iter().find_map(|document| match document {
        Document::Service(entry) if Some(entry.sid) == service => Some(entry.account),
        _ => None,
    });
    let settings = Directory::load(documents, Vault::new(&key))?;
    let wanted = account.or(owner);
    let accounts = settings.accounts().into_iter();
    Ok(accounts
        .filter(|account| wanted.is_none_or(|wanted| wanted == account.sid))
        .filter(|account| account.status != AccountStatus::Closed)
        .filter_map(|account| {
            Some(Asker {
                account: account.sid,
                token: settings.auth_token(account.sid)?,
            })
        })
        .collect())
}
