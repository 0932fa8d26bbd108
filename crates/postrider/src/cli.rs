//! The command line: what can be asked for, and with which words.
//!
//! Exit codes are the same for every command: 0 done, 1 failed, 2 misused (also: a configuration
//! that cannot be used). Results go to stdout, the log to stderr.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use postrider_core::sid::{AccountSid, MessageSid, ServiceSid};

/// Self-hosted Messaging Services that speak Twilio's API.
#[derive(Debug, Parser)]
#[command(name = "postrider", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// Form of the log on stderr
    #[arg(long, value_enum, value_name = "FORM", default_value_t = LogForm::Text, global = true)]
    pub(crate) log: LogForm,
    /// What to log: a level (error, warn, info, debug, trace) or directives as in RUST_LOG
    #[arg(long, value_name = "LEVEL", env = "RUST_LOG", global = true)]
    pub(crate) log_level: Option<String>,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a demo world on a simulated carrier, and keep it running
    ///
    /// Makes an account with a Messaging Service, sends a dozen messages to several countries,
    /// prints what becomes of each, and how to send the next one. Stop it with Ctrl-C.
    Dev(Dev),
    /// Run the server
    ///
    /// Prints `listening on http://ADDRESS` once it does. SIGTERM and Ctrl-C stop it within 30
    /// seconds, finishing what is in flight; SIGHUP reloads carriers and routes.
    Serve(Serve),
    /// Check a configuration without using it
    Check(Check),
    /// List, create and renew accounts, while no server runs on the data directory
    Account(Account),
    /// Explain why a message came from its sender, or which sender a message would come from
    ///
    /// Asks a running server. On the server's machine --config or --data-dir tells where it listens
    /// and who may ask; elsewhere --url does, with TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.
    Explain(Box<Explain>),
    /// Show receipts that were kept as they came, read again with the settings of now
    ///
    /// Those that found no message at first, named no id, or were not understood; all of a carrier's
    /// with its `keep_receipts`. Kept for 7 days. Works beside a running server.
    Receipts(Receipts),
    /// Run a command against a throw-away server on a simulated carrier
    ///
    /// Calls of the command's Twilio SDK reach the server without any change: it is their proxy
    /// (HTTPS_PROXY and the variables by which each language is told whom to trust). The
    /// credentials are in TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, the server's own address in
    /// POSTRIDER_URL. The server and its data are gone when the command ends, and its exit code is
    /// passed on.
    Run(Run),
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Keep the demo world here, to find it again [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8080, or any free port when that is taken]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Where to listen, in place of `server.listen`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration to check
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Where the settings come from.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Source {
    /// The configuration file; postrider.example.toml explains every key
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Do without a configuration file: every default, and the data here
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Account {
    #[command(subcommand)]
    pub(crate) verb: AccountVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountVerb {
    /// Show every account
    List {
        #[command(flatten)]
        source: Source,
    },
    /// Create a main account and print its credentials
    Create {
        #[command(flatten)]
        source: Source,
        /// A name for people
        #[arg(long, default_value = "main")]
        friendly_name: String,
    },
    /// Print an account's auth token, or replace it
    Token {
        sid: AccountSid,
        #[command(flatten)]
        source: Source,
        /// Replace the token: the old one stops working at once
        #[arg(long)]
        renew: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A message that was sent, or failed for want of a sender
    #[arg(
        value_name = "MESSAGE_SID",
        required_unless_present = "to",
        conflicts_with = "to"
    )]
    pub(crate) message: Option<MessageSid>,
    /// Recipient of a message that does not exist
    #[arg(long, value_name = "NUMBER", requires = "service")]
    pub(crate) to: Option<String>,
    /// The Messaging Service that would choose
    #[arg(long, value_name = "SID", requires = "to")]
    pub(crate) service: Option<ServiceSid>,
    /// A sender of the service's pool that the message would name
    #[arg(long, value_name = "SENDER", requires = "to")]
    pub(crate) from: Option<String>,
    /// Its text; matters where queues are nearly full
    #[arg(long, value_name = "TEXT", requires = "to")]
    pub(crate) body: Option<String>,
    /// Suppose that this network serves the recipient: MCC-MNC, as 310-260
    #[arg(long, value_name = "NETWORK", requires = "to")]
    pub(crate) network: Option<String>,
    /// URL of its media
    #[arg(long, value_name = "URL", requires = "to")]
    pub(crate) media: Vec<String>,
    /// The server's configuration file
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub(crate) config: Option<PathBuf>,
    /// The server's data, where it runs without a configuration file
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the server is [default: where the configuration says, else http://127.0.0.1:8080]
    #[arg(long, value_name = "URL", env = "POSTRIDER_URL")]
    pub(crate) url: Option<String>,
    /// Who asks [default: with --config or --data-dir, whoever's message or service it is]
    #[arg(long, value_name = "SID", env = "TWILIO_ACCOUNT_SID")]
    pub(crate) account_sid: Option<AccountSid>,
    #[arg(
        long,
        value_name = "TOKEN",
        env = "TWILIO_AUTH_TOKEN",
        hide_env_values = true
    )]
    pub(crate) auth_token: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Receipts {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Only this carrier's
    #[arg(long, value_name = "NAME")]
    pub(crate) carrier: Option<String>,
    /// Only those of the last minutes, hours or days: 30m, 6h, 7d
    #[arg(long, value_name = "TIME", default_value = "7d")]
    pub(crate) since: Ago,
    /// At most so many, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) limit: usize,
}

/// A time before now, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ago(pub(crate) i64);

impl FromStr for Ago {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("given \"{text}\", expected minutes, hours or days: 30m, 6h, 7d");
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let unit_ms = match unit {
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return Err(wrong()),
        };
        let count: u16 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        Ok(Self(i64::from(count) * unit_ms))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_line_is_read_or_refused() {
        for (line, is_good) in [
            ("dev", true),
            ("dev --data-dir d --listen 127.0.0.1:0", true),
            ("serve --config postrider.toml --listen 127.0.0.1:0", true),
            ("serve --data-dir data --log json", true),
            ("serve", false),
            ("serve --config a --data-dir b", false),
            ("check --config a --json", true),
            ("check", false),
            ("account list --data-dir d --json", true),
            ("account create --config c --friendly-name shop", true),
            (
                "account token AC0123456789abcdef0123456789abcdef --data-dir d --renew",
                true,
            ),
            (
                "account token MG0123456789abcdef0123456789abcdef --data-dir d",
                false,
            ),
            (
                "receipts --data-dir d --carrier acme --since 30m --json",
                true,
            ),
            (
                "explain SM0123456789abcdef0123456789abcdef --config c",
                true,
            ),
            (
                "explain --to +14155550199 --service MG0123456789abcdef0123456789abcdef --data-dir d",
                true,
            ),
            ("explain --to +14155550199 --config c", false),
            (
                "explain SM0123456789abcdef0123456789abcdef --to +14155550199",
                false,
            ),
            ("explain --config c", false),
            ("receipts --config c --since 7d --limit 5", true),
            ("receipts --config c --since yesterday", false),
            ("receipts --config c --since é", false),
            ("receipts", false),
            ("run -- python app.py --port 1", true),
            ("run", false),
        ] {
            let words = std::iter::once("postrider").chain(line.split(' '));
            assert_eq!(Cli::try_parse_from(words).is_ok(), is_good, "{line}");
        }
    }
}
