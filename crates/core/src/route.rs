//! Routes: which carriers may take a message, in order of preference.

use crate::pacing::Rate;
use crate::phone_number::{NumberKind, PhoneNumber};
use crate::select::{Channel, SenderKind};
use crate::sender::SenderAddress;

/// One row of the routing table. Every condition that is present must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Leading digits of the recipient, without the plus sign; empty matches everything.
    pub destination: String,
    /// `None` is every kind of the SMS channel. WhatsApp messages go only where a row says so, since
    /// most carriers cannot take them.
    pub sender: Option<SenderKind>,
    /// Indexes of carriers, the first preferred.
    pub carriers: Vec<u16>,
    /// Of all that goes this way together.
    pub rate: Rate,
    /// What goes this way counts for the rate of the row before.
    pub shares_rate: bool,
    /// The network it leads to keeps an opt-out list of its own, as for toll-free numbers of the US and
    /// Canada.
    pub has_opt_out: bool,
}

impl Route {
    fn is_for(&self, kind: SenderKind) -> bool {
        match self.sender {
            Some(wanted) => wanted == kind,
            None => kind.channel() == Channel::Sms,
        }
    }
}

/// The routing table: the first row that matches wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routes(pub Vec<Route>);

impl Routes {
    /// The carriers that may take a message, best first; empty when no row matches.
    pub fn find(&self, sender: &SenderAddress, to: PhoneNumber) -> &[u16] {
        self.row(sender, to)
            .map_or(&[], |row| &self.0[row].carriers)
    }

    /// The place of the row whose rate counts what goes the way of this one.
    pub fn rate_row(&self, row: usize) -> usize {
        let shares = self.0.get(row).is_some_and(|route| route.shares_rate);
        row - usize::from(shares && row > 0)
    }

    /// Whether a message's network keeps an opt-out list of its own.
    pub fn has_opt_out(&self, sender: &SenderAddress, to: PhoneNumber) -> bool {
        self.row(sender, to)
            .is_some_and(|row| self.0[row].has_opt_out)
    }

    /// The place of the row that a message matches.
    pub fn row(&self, sender: &SenderAddress, to: PhoneNumber) -> Option<usize> {
        let kind = kind_of(sender);
        self.0
            .iter()
            .position(|route| route.is_for(kind) && starts_with(to.digits(), &route.destination))
    }

    /// Every answer that [`Routes::find`] may give for messages of this sender.
    pub fn of_sender(&self, sender: &SenderAddress) -> impl Iterator<Item = &[u16]> {
        let kind = kind_of(sender);
        let matching = self.0.iter();
        let matching = matching.filter(move |route| route.is_for(kind));
        matching.map(|route| &*route.carriers)
    }
}

/// The kind of a sender as far as routes and paces tell senders apart.
pub fn kind_of(sender: &SenderAddress) -> SenderKind {
    match sender {
        SenderAddress::Number(number) if number.kind() == NumberKind::TollFree => {
            SenderKind::TollFree
        }
        SenderAddress::Number(_) => SenderKind::LongCode,
        SenderAddress::ShortCode(_) => SenderKind::ShortCode,
        SenderAddress::Alpha(_) => SenderKind::Alpha,
        SenderAddress::WhatsApp(_) => SenderKind::WhatsApp,
    }
}

fn starts_with(digits: u64, prefix: &str) -> bool {
    prefix.is_empty() || digits.to_string().starts_with(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_row_wins() {
        let routes = Routes(vec![
            Route {
                destination: "1".into(),
                sender: Some(SenderKind::ShortCode),
                carriers: vec![1],
                ..Route::default()
            },
            Route {
                destination: "1".into(),
                sender: None,
                carriers: vec![2, 0],
                ..Route::default()
            },
            Route {
                destination: "44".into(),
                sender: None,
                carriers: vec![3],
                ..Route::default()
            },
        ]);
        let find = |from: &str, to: &str| {
            let from = SenderAddress::parse(from).unwrap();
            routes.find(&from, PhoneNumber::parse(to).unwrap()).to_vec()
        };
        assert_eq!(find("55501", "+14155550199"), [1]);
        assert_eq!(find("+14155550101", "+14155550199"), [2, 0]);
        assert_eq!(find("ACME", "+447700900199"), [3]);
        assert!(find("ACME", "+33700000001").is_empty());
        let of_sender = |from: &str| {
            let from = SenderAddress::parse(from).unwrap();
            routes.of_sender(&from).collect::<Vec<_>>().concat()
        };
        assert_eq!(of_sender("55501"), [1, 2, 0, 3]);
        assert_eq!(of_sender("ACME"), [2, 0, 3]);
    }

    #[test]
    fn whatsapp_goes_only_where_a_row_says_so() {
        let route = |sender, carriers| Route {
            sender,
            carriers,
            ..Route::default()
        };
        let sms = route(None, vec![0]);
        let whatsapp = route(Some(SenderKind::WhatsApp), vec![1]);
        let to = PhoneNumber::parse("+14155550199").unwrap();
        for (rows, from, expected) in [
            (vec![sms.clone()], "whatsapp:+14155550101", &[][..]),
            (
                vec![sms.clone(), whatsapp.clone()],
                "whatsapp:+14155550101",
                &[1],
            ),
            (vec![whatsapp.clone(), sms], "+14155550101", &[0]),
            (vec![whatsapp], "+14155550101", &[]),
        ] {
            let routes = Routes(rows);
            let from = SenderAddress::parse(from).unwrap();
            assert_eq!(routes.find(&from, to), expected, "{from} {routes:?}");
            let all: Vec<_> = routes.of_sender(&from).collect();
            assert_eq!(all.concat(), expected, "{from} {routes:?}");
        }
    }
}
