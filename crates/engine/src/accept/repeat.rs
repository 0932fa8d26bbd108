//! The first answer to a create request, made again from the request.
//!
//! A repetition has the parameters of the first request, letter by letter, and what the answer to that
//! showed beside them was its SID. So nothing of it needs to be kept, and it is the same whatever has
//! become of the message: sent, redacted, deleted.

use postrider_core::create::CreateMessage;
use postrider_core::fault::Fault;
use postrider_core::message::{Message, Status};
use postrider_core::settings::Account;
use postrider_core::sid::{MessageSid, ServiceSid};
use postrider_core::text::Segmentation;

use super::read::{read_from, read_to, sender_parameters};
use super::{Draft, blank, compose, options, segmentation};

/// The message as [`super::Acceptor::prepare`] made it, as far as the answer to its creation shows.
pub(crate) fn first(
    account: &Account,
    request: &CreateMessage,
    sid: MessageSid,
) -> Result<Message, Fault> {
    let (from, service) = sender_parameters(request)?;
    let to = read_to(request.to.as_deref().unwrap_or_default())?;
    let options = options::read(request, to.channel)?;
    let draft = Draft {
        account: account.no,
        newcomer: None,
        service: None,
        from: from.map(read_from).transpose()?,
        to,
        body: request.body.as_deref().unwrap_or_default(),
        network: None,
        has_media: false,
        // Through a service the answer shows the text as it was submitted.
        smart_encoded: request.smart_encoded.filter(|_| service.is_none()),
        status_callback: None,
        options,
    };
    let created_ms = sid.id.created_ms();
    let body = compose(&draft);
    let Segmentation { encoding, segments } = segmentation(draft.to.channel, &body);
    let is_scheduled = request.send_at.is_some();
    let num_media = request.media_urls.len();
    Ok(Message {
        status: if is_scheduled {
            Status::Scheduled
        } else {
            Status::Queued
        },
        service: service.and_then(|sid| sid.parse::<ServiceSid>().ok()),
        from: draft.from.as_ref().map(|from| from.to_string().into()),
        body: body.into(),
        encoding,
        num_segments: if is_scheduled { 0 } else { segments },
        num_media: if is_scheduled {
            u16::try_from(num_media).unwrap_or(u16::MAX)
        } else {
            0
        },
        ..blank(sid, &draft, created_ms, created_ms)
    })
}
