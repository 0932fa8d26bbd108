//! The SMSC: takes every submit and receipts it at once, as fast as it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use postrider_carriers::smpp::decode::{Cut, cut, decode};
use postrider_carriers::smpp::encode::encode;
use postrider_carriers::smpp::pdu::{
    Address, BindResponse, CommandStatus, MessageResponse, Pdu, ShortMessage,
};
use postrider_carriers::smpp::tlv::Tlvs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Counts of what passed.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) submits: AtomicU64,
    /// Receipts that the client acknowledged.
    pub(crate) receipts: AtomicU64,
    next_id: AtomicU64,
}

/// Starts an SMSC; it lives as long as the process. Returns its port.
pub(crate) async fn start() -> anyhow::Result<(u16, Arc<Counts>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let counts = Arc::new(Counts::default());
    let shared = counts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, shared.clone()));
        }
    });
    Ok((port, counts))
}

async fn serve(mut stream: TcpStream, counts: Arc<Counts>) {
    let _ = stream.set_nodelay(true);
    let mut input = Vec::with_capacity(256 * 1024);
    let mut output = Vec::with_capacity(256 * 1024);
    let mut sequence = 0;
    loop {
        match stream.read_buf(&mut input).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let mut used = 0;
        while let Cut::Frame { frame, length } = cut(&input[used..]) {
            let number = frame.header.sequence;
            let decoded = decode(&frame);
            answer(&decoded.pdu, number, &counts, &mut sequence, &mut output);
            used += length;
        }
        input.drain(..used);
        if stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}

fn answer(pdu: &Pdu<'_>, number: u32, counts: &Counts, sequence: &mut u32, out: &mut Vec<u8>) {
    let ok = CommandStatus::OK;
    let written = match pdu {
        Pdu::Bind(mode, _) => {
            let response = BindResponse {
                system_id: b"bench",
                tlvs: Tlvs::default(),
            };
            encode(out, ok, number, &Pdu::BindResponse(*mode, response))
        }
        Pdu::SubmitSm(message) => {
            counts.submits.fetch_add(1, Ordering::Relaxed);
            let id = counts.next_id.fetch_add(1, Ordering::Relaxed);
            let id = format!("{id:016x}");
            let response = MessageResponse {
                message_id: Some(id.as_bytes()),
                tlvs: Tlvs::default(),
            };
            let written = encode(out, ok, number, &Pdu::SubmitSmResponse(response));
            if written.is_ok() && message.registered_delivery & 1 == 1 {
                *sequence += 1;
                receipt(message, &id, *sequence, out);
            }
            written
        }
        Pdu::DeliverSmResponse(_) => {
            counts.receipts.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        Pdu::EnquireLink => encode(out, ok, number, &Pdu::EnquireLinkResponse),
        Pdu::Unbind => encode(out, ok, number, &Pdu::UnbindResponse),
        _ => Ok(()),
    };
    written.expect("what the benchmark writes fits");
}

fn receipt(message: &ShortMessage<'_>, id: &str, sequence: u32, out: &mut Vec<u8>) {
    let text = format!(
        "id:{id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:"
    );
    let deliver = ShortMessage {
        service_type: b"",
        source: Address {
            ton: 1,
            npi: 1,
            octets: message.destination.octets,
        },
        destination: Address {
            ton: 1,
            npi: 1,
            octets: message.source.octets,
        },
        esm_class: 0x04,
        protocol_id: 0,
        priority_flag: 0,
        schedule_delivery_time: b"",
        validity_period: b"",
        registered_delivery: 0,
        replace_if_present: 0,
        data_coding: 0,
        default_message_id: 0,
        short_message: text.as_bytes(),
        tlvs: Tlvs::default(),
    };
    encode(out, CommandStatus::OK, sequence, &Pdu::DeliverSm(deliver))
        .expect("what the benchmark writes fits");
}
