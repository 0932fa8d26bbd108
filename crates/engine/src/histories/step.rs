//! What may happen to an account's services, one thing after another.

use postrider_core::clock::Millis;
use postrider_core::select::Channel;
use postrider_core::settings::SenderStatus;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select as one_of, subsequence};

use super::cast;

/// The caps of its senders, and what happens to it.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// By its number in [`cast`].
    pub(super) caps: usize,
    pub(super) steps: Vec<Step>,
}

/// Services, recipients, capabilities and networks by their numbers, those of [`cast`].
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The sender joins the service's pool, or leaves it.
    JoinOrLeave(usize, Who),
    /// It leaves and joins.
    Rejoin(usize, Who),
    Capabilities(Who, usize),
    Status(Who, SenderStatus),
    Serves(Who, usize),
    /// Its pace is lowered, or back to the default.
    SlowOrFast(Who),
    Toggle(usize, Switch),
    Message(Message),
    /// The message is to be sent so much later.
    Schedule(Message, Millis),
    /// One of the scheduled messages is withdrawn, by its place among all that ever were, counted round
    /// and round.
    Cancel(usize),
    /// The recipient texts the sender, in one segment or in two.
    Text(usize, Who, Length),
    Wait(Millis),
    /// The carrier for North America, or the other one, takes what waits.
    Deliver(Side),
    Sweep,
    Look,
    Forget(usize, usize),
    /// The next process begins so much later.
    Restart(Ending, Millis),
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Short,
    Long,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) service: usize,
    pub(super) to: usize,
    pub(super) channel: Channel,
    pub(super) from: Option<Who>,
    pub(super) has_media: bool,
    pub(super) length: Length,
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

pub(super) fn any_plot() -> impl Strategy<Value = Plot> {
    let start = prop_oneof![
        2 => first_members(),
        1 => crowded(),
    ];
    (0..cast::ALL_CAPS, start, vec(any_step(), 1..40)).prop_map(|(caps, start, steps)| Plot {
        caps,
        steps: [start, steps].concat(),
    })
}

fn join(members: Vec<usize>) -> Vec<Step> {
    let members = members.into_iter().map(Who::Any);
    members.map(|who| Step::JoinOrLeave(0, who)).collect()
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
            service: 0,
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
        let spread = is_spread.then_some(Step::Toggle(0, Switch::Sticky));
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
        4 => one_of(&[HOUR_MS, 5 * HOUR_MS, DAY_MS][..]),
        2 => one_of(&[30 * DAY_MS, 300 * DAY_MS][..]),
        2 => one_of(&[365 * DAY_MS, 365 * DAY_MS + HOUR_MS, 400 * DAY_MS][..]),
    ];
    let ahead = one_of(&[HOUR_MS, 5 * HOUR_MS, DAY_MS, 30 * DAY_MS][..]);
    let downtime = prop_oneof![
        2 => Just(0),
        1 => one_of(&[HOUR_MS, 9 * HOUR_MS, 2 * DAY_MS][..]),
    ];
    let ending = one_of(&[Ending::Crash, Ending::Stop][..]);
    let length = prop_oneof![3 => Just(Length::Short), 1 => Just(Length::Long)];
    let status = prop_oneof![
        1 => Just(SenderStatus::Active),
        1 => one_of(&SenderStatus::ALL[..]),
    ];
    prop_oneof![
        20 => any_message().prop_map(Step::Message),
        5 => (any_message(), ahead).prop_map(|(message, ahead_ms)| {
            // Never at the instant at which a message expires.
            Step::Schedule(message, ahead_ms + SECOND_MS / 4)
        }),
        1 => (0..9_usize).prop_map(Step::Cancel),
        6 => (any_service(), joining_or_leaving)
            .prop_map(|(service, who)| Step::JoinOrLeave(service, who)),
        1 => (any_service(), any_sender()).prop_map(|(service, who)| Step::Rejoin(service, who)),
        4 => (any_recipient(), any_sender(), length)
            .prop_map(|(from, to, length)| Step::Text(from, to, length)),
        5 => wait.prop_map(Step::Wait),
        3 => one_of(&[Side::NorthAmerica, Side::Elsewhere][..]).prop_map(Step::Deliver),
        2 => (ending, downtime).prop_map(|(ending, ms)| Step::Restart(ending, ms)),
        2 => (any_sender(), 0..cast::CAPABILITIES.len())
            .prop_map(|(sender, can)| Step::Capabilities(sender, can)),
        3 => (any_sender(), status).prop_map(|(sender, status)| Step::Status(sender, status)),
        2 => (any_sender(), 0..cast::SERVED.len())
            .prop_map(|(sender, networks)| Step::Serves(sender, networks)),
        2 => any_sender().prop_map(Step::SlowOrFast),
        2 => (any_service(), switch).prop_map(|(service, switch)| Step::Toggle(service, switch)),
        1 => Just(Step::Sweep),
        1 => Just(Step::Look),
        1 => (any_service(), any_recipient())
            .prop_map(|(service, recipient)| Step::Forget(service, recipient)),
    ]
}

/// Mostly the first.
fn any_service() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 1 => 0..cast::SERVICES]
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
    let length = one_of(&[Length::Short, Length::Long][..]);
    let parts = (
        any_service(),
        any_recipient(),
        is_whatsapp,
        from,
        has_media,
        length,
    );
    parts.prop_map(
        |(service, to, is_whatsapp, from, has_media, length)| Message {
            service,
            to,
            channel: if is_whatsapp {
                Channel::WhatsApp
            } else {
                Channel::Sms
            },
            from,
            has_media,
            length,
        },
    )
}
