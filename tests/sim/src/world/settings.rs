//! What the customer has set up before the run: an account, a service, and one to four numbers in
//! its pool, each with a pace of its own.

use postrider_core::message::{AccountNo, SenderNo};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{
    Account, Capabilities, Document, IncomingNumber, PoolMember, PoolSenderSid, Sender,
    SenderStatus, SenderWebhooks, Service,
};
use postrider_core::sid::{AccountSid, PhoneNumberSid, ServiceSid};
use postrider_core::testing;
use postrider_engine::ids::IdGenerator;
use postrider_engine::secrets::Vault;
use postrider_store::{DocumentChange, Store};
use rand::Rng;

use super::{START_MS, World};

impl World {
    pub(super) fn write_settings(&mut self, ids: &IdGenerator) {
        let vault = Vault::new(&[9; 32]);
        let mut documents = vec![
            Document::Account(Account {
                auth_token_sealed: vault.seal("token", [1; 12]),
                ..testing::account(self.account, AccountNo(1))
            }),
            Document::Service(service(self.service, self.account)),
        ];
        for index in 0..self.rng.random_range(1..5_u32) {
            let number = PhoneNumber::parse(&format!("+1415555010{index}")).expect("a number");
            let sender = SenderNo(index + 1);
            let sid = PhoneNumberSid(ids.next());
            let rate = f64::from(self.rng.random_range(1..20_u32));
            self.rates.insert(number.to_string(), rate);
            self.numbers.push(number.to_string());
            let address = SenderAddress::Number(number);
            documents.push(Document::Sender(Sender {
                no: sender,
                account: self.account,
                address,
                country: None,
            }));
            documents.push(Document::Number(IncomingNumber {
                sid,
                account: self.account,
                sender,
                number,
                friendly_name: number.to_string(),
                status: SenderStatus::default(),
                capabilities: Capabilities {
                    sms: true,
                    mms: false,
                    voice: false,
                },
                webhooks: SenderWebhooks::default(),
                voice: Box::default(),
                pace: Some(rate),
                country: None,
                created_ms: START_MS,
                updated_ms: START_MS,
            }));
            documents.push(Document::PoolMember(PoolMember {
                service: self.service,
                sender: PoolSenderSid::Number(sid),
                added_ms: START_MS,
                position: index.into(),
            }));
        }
        let changes: Vec<_> = documents.into_iter().map(DocumentChange::Put).collect();
        self.disk
            .open()
            .commit_documents(&changes, None)
            .expect("a new disk takes documents");
    }
}

fn service(sid: ServiceSid, account: AccountSid) -> Service {
    Service {
        friendly_name: "Sim".to_owned(),
        next_position: 99,
        ..Service::new(sid, account, 36_000, START_MS)
    }
}
