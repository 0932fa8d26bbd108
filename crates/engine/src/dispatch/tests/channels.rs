//! Callbacks of messages that come from senders of another channel than SMS.

use postrider_core::create::CreateMessage;

use super::*;
use crate::testing::engine;
use crate::webhooks::Content;

#[tokio::test]
async fn a_callback_of_whatsapp_names_the_sender_once_it_is_chosen() {
    let test = engine();
    let engine = &test.engine;
    let main = engine.create_main_account(None, None, "Main").await;
    let (account, _) = main.unwrap();
    let number = PhoneNumber::parse("+14155550101").unwrap();
    let number = engine.register_number(account.sid, number, |_| {}).await;
    let number = number.unwrap().number;
    let sender = engine.register_channel_sender(account.sid, number, |_| {});
    let sender = sender.await.unwrap().sid.to_string();
    for (prefix, status, expected) in [
        ("whatsapp:", Status::Sent, Some(&*sender)),
        ("whatsapp:", Status::Accepted, None),
        ("", Status::Sent, None),
    ] {
        let request = CreateMessage {
            to: Some(format!("{prefix}+14155550199")),
            from: Some(format!("{prefix}{number}")),
            body: Some("Hi".to_owned()),
            status_callback: Some("https://example.com/".to_owned()),
            ..CreateMessage::default()
        };
        let created = engine.create_message(&account, request).await.unwrap();
        let job = callback_job(engine.directory(), &created.message, status, 0).unwrap();
        let Content::Params(params) = &job.content else {
            panic!("{:?}", job.content);
        };
        let named = params.iter().find(|(name, _)| *name == "ChannelInstallSid");
        let named = named.map(|(_, sid)| &**sid);
        assert_eq!(named, expected, "{prefix:?} {status:?}");
    }
}
