//! Opt-out told once more, slowly: a whole history is replayed, the list is a list of lines, and what
//! every word does is written out by hand for each kind of sender. Shares no rule with the real one.

/// Who is written to, and how it is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A long code that is in the service `acme` at times, which has no words of its own.
    Wanderer,
    /// A long code of `acme`.
    Acme,
    /// A toll-free number of `acme`, on a route with the network's own list.
    AcmeTollFree,
    /// A short code of `acme`.
    AcmeShortCode,
    /// Of the service `bravo`, which has Advanced Opt-Out with Spanish words.
    Bravo,
    BravoTollFree,
    BravoShortCode,
    BravoWhatsApp,
}

pub(super) const SENDERS: [Sender; 8] = [
    Sender::Wanderer,
    Sender::Acme,
    Sender::AcmeTollFree,
    Sender::AcmeShortCode,
    Sender::Bravo,
    Sender::BravoTollFree,
    Sender::BravoShortCode,
    Sender::BravoWhatsApp,
];

/// What the user texts: a word, or something else.
pub(super) const TEXTS: [&str; 13] = [
    "STOP",
    "STOPALL",
    "OPTOUT",
    "START",
    "UNSTOP",
    "YES",
    "HELP",
    "INFO",
    "BAJA",
    "ALTA",
    "AYUDA",
    "HELLO",
    "STOP PLEASE",
];

#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The user texts.
    Text {
        to: Sender,
        text: &'static str,
    },
    /// The wanderer joins `acme`, or leaves it.
    Move,
    /// Somebody else enters the user in the list of a sender, or takes them out.
    Operator {
        sender: Sender,
        is_blocked: bool,
    },
    Wait {
        seconds: i64,
    },
}

/// What must come of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) is_answered: bool,
    pub(super) opt_out_type: Option<&'static str>,
}

/// The state after a history: everything that matters, in plain lines.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) blocked: Vec<String>,
    pub(super) is_wanderer_pooled: bool,
    now_s: i64,
    /// Who said what when.
    replies: Vec<(String, &'static str, i64)>,
}

impl World {
    /// Where a STOP to this sender is entered.
    pub(super) fn home(&self, sender: Sender) -> String {
        match sender {
            Sender::Wanderer if !self.is_wanderer_pooled => own(sender),
            Sender::Wanderer | Sender::Acme | Sender::AcmeTollFree | Sender::AcmeShortCode => {
                "acme text".to_owned()
            }
            Sender::Bravo | Sender::BravoTollFree | Sender::BravoShortCode => {
                "bravo text".to_owned()
            }
            Sender::BravoWhatsApp => "bravo whatsapp".to_owned(),
        }
    }

    pub(super) fn may_text(&self, sender: Sender) -> bool {
        !self.blocked.contains(&self.home(sender)) && !self.blocked.contains(&own(sender))
    }

    pub(super) fn play(&mut self, event: Event) -> Option<Expected> {
        match event {
            Event::Text { to, text } => return self.text(to, text),
            Event::Move => self.is_wanderer_pooled = !self.is_wanderer_pooled,
            Event::Operator { sender, is_blocked } => {
                let home = self.home(sender);
                self.blocked.retain(|line| *line != home);
                if is_blocked {
                    self.blocked.push(home);
                }
            }
            Event::Wait { seconds } => self.now_s += seconds,
        }
        None
    }

    #[expect(
        clippy::match_same_arms,
        reason = "each sender's sentences stand together"
    )]
    fn text(&mut self, to: Sender, text: &'static str) -> Option<Expected> {
        let is_out = !self.may_text(to);
        let is_home_out = self.blocked.contains(&self.home(to));
        // Enters, takes out, would answer, type; by the sentences of the requirement.
        let (enters, takes_out, would_answer, kind) = match (to, text) {
            // Short codes without words of a service's own do nothing.
            (Sender::AcmeShortCode, _) => return None,

            // Default handling.
            (Sender::Wanderer | Sender::Acme, "STOP" | "STOPALL" | "OPTOUT") => {
                (true, false, !is_home_out, "STOP")
            }
            (Sender::Wanderer | Sender::Acme, "START" | "UNSTOP") => (false, true, true, "START"),
            (Sender::Wanderer | Sender::Acme, "YES") if is_out => (false, true, true, "START"),
            (Sender::Wanderer | Sender::Acme, "HELP" | "INFO") => (false, false, !is_out, "HELP"),

            // The network confirms STOP and START itself, and knows no YES.
            (Sender::AcmeTollFree, "STOP") => (true, false, false, "STOP"),
            (Sender::AcmeTollFree, "STOPALL" | "OPTOUT") => (true, false, !is_home_out, "STOP"),
            (Sender::AcmeTollFree, "START" | "UNSTOP") => (false, true, false, "START"),
            (Sender::AcmeTollFree, "HELP" | "INFO") => (false, false, !is_out, "HELP"),

            // Advanced Opt-Out: every sender of the service, WhatsApp included.
            (Sender::BravoTollFree, "STOP") => (true, false, false, "STOP"),
            (Sender::BravoTollFree, "YES" | "ALTA") => (false, false, !is_out, "START"),
            (
                Sender::Bravo
                | Sender::BravoTollFree
                | Sender::BravoShortCode
                | Sender::BravoWhatsApp,
                "STOP" | "STOPALL" | "OPTOUT" | "BAJA",
            ) => (true, false, !is_home_out, "STOP"),
            (
                Sender::Bravo
                | Sender::BravoTollFree
                | Sender::BravoShortCode
                | Sender::BravoWhatsApp,
                "START" | "UNSTOP" | "YES" | "ALTA",
            ) => (false, true, true, "START"),
            (
                Sender::Bravo
                | Sender::BravoTollFree
                | Sender::BravoShortCode
                | Sender::BravoWhatsApp,
                "HELP" | "INFO" | "AYUDA",
            ) => (false, false, !is_out, "HELP"),
            (_, _) => return None,
        };
        let home = self.home(to);
        if enters && !is_home_out {
            self.blocked.push(home.clone());
        }
        if takes_out {
            self.blocked
                .retain(|line| *line != home && *line != own(to));
        }
        let was_answered = self
            .replies
            .iter()
            .any(|(at, what, when)| *at == home && *what == kind && self.now_s - when < 60);
        let is_answered = would_answer && !was_answered;
        if is_answered {
            self.replies.push((home, kind, self.now_s));
        }
        let is_advanced = matches!(
            to,
            Sender::Bravo | Sender::BravoTollFree | Sender::BravoShortCode | Sender::BravoWhatsApp
        );
        Some(Expected {
            is_answered,
            opt_out_type: is_advanced.then_some(kind),
        })
    }
}

/// The entry of a sender alone, from before it joined a service.
pub(super) fn own(sender: Sender) -> String {
    format!("{sender:?} alone")
}
