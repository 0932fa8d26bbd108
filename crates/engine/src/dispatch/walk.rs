//! A walk over a sender's stored queue, page by page, while new rows come to it.
//!
//! Rows don't come in the order of their ids: a scheduled message has the id of the day on which it
//! was made, and of two requests at once either is committed first. So whatever is left on disk names
//! itself to the walk that shall find it, which turns back for it, also when a page is on its way
//! that may have been read before. Looking at a row twice does no harm: what is in memory is known.

use postrider_core::clock::Millis;
use postrider_core::sid::Id;

/// How far a walk has come.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Rows after this one wait to be looked at. `None` when there are none.
    after: Option<Id>,
    /// The first row that was left on disk since the page on its way was asked for.
    missed: Option<Id>,
    reading: Reading,
}

#[derive(Debug, Default)]
enum Reading {
    #[default]
    No,
    OnItsWay,
    /// It came to nothing, and is not begun again before this.
    Failed(Millis),
}

impl Walk {
    /// Over all that comes after the given row.
    pub(super) fn from(after: Id) -> Self {
        Self {
            after: Some(after),
            ..Self::default()
        }
    }

    /// The place beyond which rows wait to be looked at, if any do.
    pub(super) fn after(&self) -> Option<Id> {
        self.after
    }

    pub(super) fn is_open(&self) -> bool {
        self.after.is_some()
    }

    /// It has not passed this row yet.
    pub(super) fn comes_to(&self, id: Id) -> bool {
        self.after.is_some_and(|after| after < id)
    }

    /// A row is left on disk, for this walk to find.
    pub(super) fn leave(&mut self, id: Id) {
        let before = id.before();
        self.after = Some(self.after.map_or(before, |after| after.min(before)));
        if matches!(self.reading, Reading::OnItsWay) {
            self.missed = Some(self.missed.map_or(id, |missed| missed.min(id)));
        }
    }

    /// Whether the next page may be asked for.
    pub(super) fn may_read(&self, now_ms: Millis) -> bool {
        self.is_open()
            && match self.reading {
                Reading::No => true,
                Reading::OnItsWay => false,
                Reading::Failed(again_ms) => now_ms >= again_ms,
            }
    }

    /// The page after the returned row is asked for.
    pub(super) fn begin_page(&mut self) -> Option<Id> {
        self.reading = Reading::OnItsWay;
        self.after
    }

    pub(super) fn page_failed(&mut self, again_ms: Millis) {
        self.reading = Reading::Failed(again_ms);
        self.missed = None;
    }

    /// The page was looked at, up to and with the row `seen`.
    pub(super) fn end_page(&mut self, seen: Option<Id>, is_last: bool) {
        self.reading = Reading::No;
        let missed = self.missed.take().map(Id::before);
        self.after = match (seen.or(self.after), missed) {
            (_, missed) if is_last => missed,
            (Some(seen), Some(missed)) => Some(seen.min(missed)),
            (seen, missed) => seen.or(missed),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        Id::new(1_000, number, 7)
    }

    #[test]
    fn a_walk_ends_with_the_last_page() {
        let mut walk = Walk::from(Id::MIN);
        assert_eq!(walk.begin_page(), Some(Id::MIN));
        assert!(!walk.may_read(0));
        walk.end_page(Some(id(4)), false);
        assert_eq!(walk.begin_page(), Some(id(4)));
        walk.end_page(Some(id(6)), true);
        assert!(!walk.is_open());
    }

    #[test]
    fn it_turns_back_for_what_is_left_behind_it() {
        let mut walk = Walk::from(id(8));
        walk.leave(id(3));
        assert!(walk.after() < Some(id(3)) && walk.after() > Some(id(2)));
        walk.leave(id(9));
        assert!(walk.comes_to(id(3)));
    }

    #[test]
    fn it_comes_to_what_the_page_on_its_way_may_not_show() {
        for is_last in [false, true] {
            let mut walk = Walk::from(Id::MIN);
            walk.begin_page();
            walk.leave(id(9));
            walk.leave(id(5));
            walk.end_page(Some(id(7)), is_last);
            assert_eq!(walk.after(), Some(id(5).before()), "{is_last}");
        }
        let mut walk = Walk::from(Id::MIN);
        walk.begin_page();
        walk.leave(id(9));
        walk.end_page(Some(id(7)), false);
        assert_eq!(walk.after(), Some(id(7)));
    }

    #[test]
    fn a_page_that_failed_is_asked_for_again_after_a_pause() {
        let mut walk = Walk::from(id(1));
        walk.begin_page();
        walk.page_failed(1_000);
        assert!(!walk.may_read(999));
        assert!(walk.may_read(1_000));
        assert_eq!(walk.begin_page(), Some(id(1)));
    }
}
