//! What may happen to a service, one thing after another.

use postrider_core::clock::Millis;
use postrider_core::select::Channel;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select as one_of, subsequence};

use super::cast;

/// Recipients, capabilities and networks by their numbers in [`cast`].
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The sender joins the pool, or leaves it.
    JoinOrLeave(Who),
    /// It leaves and joins.
    Rejoin(Who),
    Capabilities(Who, usize),
    Serves(Who, usize),
    /// Its pace is lowered, or back to the default.
    SlowOrFast(Who),
    Toggle(Switch),
    Message(Message),
    /// The recipient texts the sender.
    Text(usize, Who),
    Wait(Millis),
    /// The carrier for North America, or the other one, takes what waits.
    Deliver(Side),
    Sweep,
    Look,
    Forget(usize),
    Restart(Ending),
}

/// A sender.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    /// By its number in [`cast`].
    Any(usize),
    /// By its place among those that are in the pool, counted round and round.
    Member(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Switch {
    Sticky,
    AreaCode,
    MmsConverter,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) to: usize,
    pub(super) channel: Channel,
    pub(super) from: Option<Who>,
    pub(super) has_media: bool,
    pub(super) is_long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    NorthAmerica,
    Elsewhere,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    Crash,
    Stop,
}

const SECOND_MS: Millis = 1_000;
const HOUR_MS: Millis = 3_600 * SECOND_MS;
const DAY_MS: Millis = 24 * HOUR_MS;

pub(super) fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let start = prop_oneof![
        2 => first_members(),
        1 => crowded(),
    ];
    (start, vec(any_step(), 1..40)).prop_map(|(start, steps)| [start, steps].concat())
}

fn join(members: Vec<usize>) -> Vec<Step> {
    let members = members.into_iter().map(Who::Any);
    members.map(Step::JoinOrLeave).collect()
}

/// Some senders, and now and then many of the crowd.
fn first_members() -> impl Strategy<Value = Vec<Step>> {
    let few = vec(0..cast::ALL_SENDERS, 0..6);
    let crowd = prop_oneof![
        2 => Just(Vec::new()),
        1 => subsequence(cast::crowd().collect::<Vec<_>>(), 0..=cast::CROWD),
    ];
    (few, crowd).prop_map(|(few, crowd)| join([few, crowd].concat()))
}

/// Most of the crowd, and messages that are spread over it one by one: a ranking that is told of each.
fn crowded() -> impl Strategy<Value = Vec<Step>> {
    let crowd = subsequence(cast::crowd().collect::<Vec<_>>(), 8..=cast::CROWD);
    let message = any_message().prop_map(|message| {
        Step::Message(Message {
            to: 0,
            channel: Channel::Sms,
            ..message
        })
    });
    let step = prop_oneof![
        5 => message,
        1 => Just(Step::Deliver(Side::NorthAmerica)),
    ];
    (crowd, prop::bool::weighted(0.7), vec(step, 0..12)).prop_map(|(crowd, is_spread, steps)| {
        let spread = is_spread.then_some(Step::Toggle(Switch::Sticky));
        let start = join(crowd).into_iter().chain(spread);
        start.chain(steps).collect()
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let joining_or_leaving = prop_oneof![
        3 => (0..cast::ALL_SENDERS).prop_map(Who::Any),
        1 => (0..cast::ALL_SENDERS).prop_map(Who::Member),
    ];
    let switch = one_of(&[Switch::Sticky, Switch::AreaCode, Switch::MmsConverter][..]);
    let wait = prop_oneof![
        3 => one_of(&[SECOND_MS / 2, 3 * SECOND_MS][..]),
        3 => one_of(&[HOUR_MS, 5 * HOUR_MS][..]),
        2 => one_of(&[30 * DAY_MS, 300 * DAY_MS][..]),
        2 => one_of(&[365 * DAY_MS, 365 * DAY_MS + HOUR_MS, 400 * DAY_MS][..]),
    ];
    prop_oneof![
        20 => any_message().prop_map(Step::Message),
        6 => joining_or_leaving.prop_map(Step::JoinOrLeave),
        1 => any_sender().prop_map(Step::Rejoin),
        4 => (any_recipient(), any_sender()).prop_map(|(from, to)| Step::Text(from, to)),
        4 => wait.prop_map(Step::Wait),
        3 => one_of(&[Side::NorthAmerica, Side::Elsewhere][..]).prop_map(Step::Deliver),
        2 => one_of(&[Ending::Crash, Ending::Stop][..]).prop_map(Step::Restart),
        2 => (any_sender(), 0..cast::CAPABILITIES.len())
            .prop_map(|(sender, can)| Step::Capabilities(sender, can)),
        2 => (any_sender(), 0..cast::SERVED.len())
            .prop_map(|(sender, networks)| Step::Serves(sender, networks)),
        2 => any_sender().prop_map(Step::SlowOrFast),
        2 => switch.prop_map(Step::Toggle),
        1 => Just(Step::Sweep),
        1 => Just(Step::Look),
        1 => any_recipient().prop_map(Step::Forget),
    ]
}

/// Mostly a member.
fn any_sender() -> impl Strategy<Value = Who> {
    prop_oneof![
        3 => (0..cast::ALL_SENDERS).prop_map(Who::Member),
        1 => (0..cast::ALL_SENDERS).prop_map(Who::Any),
    ]
}

/// Mostly the first few, who so get a history.
fn any_recipient() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0..3_usize, 1 => 0..cast::ALL_RECIPIENTS]
}

fn any_message() -> impl Strategy<Value = Message> {
    let is_whatsapp = prop::bool::weighted(0.1);
    let from = option::weighted(0.1, any_sender());
    let has_media = prop::bool::weighted(0.2);
    (any_recipient(), is_whatsapp, from, has_media, any::<bool>()).prop_map(
        |(to, is_whatsapp, from, has_media, is_long)| Message {
            to,
            channel: if is_whatsapp {
                Channel::WhatsApp
            } else {
                Channel::Sms
            },
            from,
            has_media,
            is_long,
        },
    )
}
