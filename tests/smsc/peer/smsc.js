/**
 * An SMSC for tests over the npm package `smpp`: a stack that we did not write.
 *
 *   node smsc.js --record FILE [--password SECRET]
 *
 * Prints one line of JSON with its two ports on 127.0.0.1, `smpp` and `control`, and ends when its
 * stdin does. Whatever it sees is a line of JSON in FILE: bind, submit (octets in hex, nothing
 * decoded), receipt_acknowledged, text_acknowledged, close. How it behaves is told by rules, `POST /rules` on the
 * control port; the newest rule that fits a segment decides, without one it is taken and delivered:
 *
 *   to        digits of the recipient, or absent for all
 *   segment   number of the segment, or absent for all
 *   times     how many segments the rule is good for, or absent for ever
 *   status    command_status of the response, 0 by default
 *   hang_up   true: close the link instead of answering
 *   id_form   how the response writes the id: a key of ID_FORMS
 *   receipts  list of {state, err, after_ms, jitter_ms, early, id_form, dialect}; [] for none.
 *             `early` sends it before the response. `dialect` is a key of DIALECTS.
 *
 * `DELETE /rules` forgets them. `POST /texts` takes a list of texts from handsets, each a deliver_sm:
 * {id, system_id, from, to, esm_class, data_coding, octets}, the octets in hex.
 *
 * Receipts and texts go to any receiving session of the same system_id. Like a real SMSC the peer
 * keeps each until it is acknowledged: one whose link dies, or that is refused for now, goes out again.
 */
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const { parseArgs } = require("node:util");
const smpp = require("smpp");

const { values: options } = parseArgs({
  options: { record: { type: "string" }, password: { type: "string", default: "secret" } },
});

// Texts stay octets in both directions: what they mean is for the test to find out.
smpp.filters.message.decode = (octets) => octets;

const RECEIPT = smpp.ESM_CLASS.MC_DELIVERY_RECEIPT;
const UDH_INDICATOR = smpp.ESM_CLASS.UDH_INDICATOR;
const STATES = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };

const ID_FORMS = {
  hex: (id) => id.toString(16),
  HEX: (id) => id.toString(16).toUpperCase(),
  decimal: (id) => String(id),
  padded: (id) => id.toString(16).padStart(12, "0"),
};

const two = (number) => String(number).padStart(2, "0");

function stamp(digits) {
  const t = new Date();
  const parts = [t.getUTCMonth() + 1, t.getUTCDate(), t.getUTCHours(), t.getUTCMinutes()].map(two).join("");
  const seconds = two(t.getUTCSeconds());
  return {
    10: two(t.getUTCFullYear() % 100) + parts,
    12: two(t.getUTCFullYear() % 100) + parts + seconds,
    14: t.getUTCFullYear() + parts + seconds,
  }[digits];
}

const standard = (id, { state, err }, digits = 10) =>
  `id:${id} sub:001 dlvrd:001 submit date:${stamp(digits)} done date:${stamp(digits)} stat:${state} err:${err} text:hello`;

const tlvs = (id, { state }) => ({ receipted_message_id: id, message_state: STATES[state] });

/** Ways in which SMSCs in the wild write a receipt: fields of its deliver_sm. */
const DIALECTS = {
  standard: (id, receipt) => ({ short_message: Buffer.from(standard(id, receipt)) }),
  with_tlvs: (id, receipt) => ({ short_message: Buffer.from(standard(id, receipt)), ...tlvs(id, receipt) }),
  tlvs_only: (id, receipt) => ({ short_message: Buffer.alloc(0), ...tlvs(id, receipt) }),
  in_payload: (id, receipt) => ({
    short_message: Buffer.alloc(0),
    message_payload: Buffer.from(standard(id, receipt)),
  }),
  long_dates: (id, receipt) => ({ short_message: Buffer.from(standard(id, receipt, 14)) }),
  with_seconds: (id, receipt) => ({ short_message: Buffer.from(standard(id, receipt, 12)) }),
  reordered: (id, { state, err }) => ({
    short_message: Buffer.from(`stat:${state} err:${err} id:${id} done date:${stamp(10)}`),
  }),
  spaced: (id, { state, err }) => ({
    short_message: Buffer.from(`id: ${id} sub: 001 dlvrd: 001 done date: ${stamp(10)} stat: ${state} err: ${err} Text: `),
  }),
  upper_case: (id, { state, err }) => ({
    short_message: Buffer.from(`ID:${id} SUB:001 DLVRD:001 DONE DATE:${stamp(10)} STAT:${state} ERR:${err} TEXT:`),
  }),
  ucs2: (id, receipt) => ({
    data_coding: 8,
    short_message: Buffer.from(standard(id, receipt), "utf16le").swap16(),
  }),
  no_esm_class: (id, receipt) => ({ esm_class: 0, short_message: Buffer.from(standard(id, receipt)) }),
};

const rules = [];
const receivers = new Set();
const waiting = [];
const record = fs.openSync(options.record, "a");
let nextId = 0xa1b2c300;
let nextSession = 0;

function write(event, fields) {
  fs.writeSync(record, JSON.stringify({ event, at: Date.now() / 1000, ...fields }) + "\n");
}

function ruleFor(to, segment) {
  const rule = rules.findLast(
    (rule) =>
      (rule.to === undefined || rule.to === to) &&
      (rule.segment === undefined || rule.segment === segment) &&
      (rule.times === undefined || rule.times-- > 0),
  );
  return { status: 0, id_form: "hex", receipts: [{}], ...rule };
}

/** Reference, total and number of a segment, from its header or its TLVs. */
function concatenation(pdu) {
  if (pdu.sar_total_segments) {
    return [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum];
  }
  const octets = pdu.short_message;
  if (!(pdu.esm_class & UDH_INDICATOR)) return [0, 1, 1];
  for (let at = 1; at <= octets[0]; at += 2 + octets[at + 1]) {
    if (octets[at] === 0x00) return [octets[at + 2], octets[at + 3], octets[at + 4]];
    if (octets[at] === 0x08) return [octets.readUInt16BE(at + 2), octets[at + 4], octets[at + 5]];
  }
  return [0, 1, 1];
}

/** `pdu.what` is receipt or text. */
function deliver(pdu) {
  const session = [...receivers].find((session) => session.systemId === pdu.system_id);
  if (!session) {
    waiting.push(pdu);
    return;
  }
  session.unacknowledged.add(pdu);
  session.send(new smpp.PDU("deliver_sm", pdu), (response) => {
    session.unacknowledged.delete(pdu);
    write(`${pdu.what}_acknowledged`, { session: session.number, status: response.command_status, id: pdu.id });
    if (pdu.what === "text" && response.command_status !== 0) setTimeout(() => deliver(pdu), 100);
  });
}

function receiptFor(session, submit, id, receipt) {
  const { dialect = "standard", id_form = "hex", state = "DELIVRD", err = "000" } = receipt;
  return {
    what: "receipt",
    id: ID_FORMS[id_form](id),
    system_id: session.systemId,
    source_addr_ton: submit.dest_addr_ton,
    source_addr_npi: submit.dest_addr_npi,
    source_addr: submit.destination_addr,
    dest_addr_ton: submit.source_addr_ton,
    dest_addr_npi: submit.source_addr_npi,
    destination_addr: submit.source_addr,
    esm_class: RECEIPT,
    data_coding: 0,
    ...DIALECTS[dialect](ID_FORMS[id_form](id), { state, err }),
  };
}

function textOf({ id, system_id, from, to, esm_class, data_coding, octets }) {
  return {
    what: "text",
    id,
    system_id,
    source_addr_ton: 1,
    source_addr_npi: 1,
    source_addr: from,
    dest_addr_ton: 1,
    dest_addr_npi: 1,
    destination_addr: to,
    esm_class,
    data_coding,
    short_message: Buffer.from(octets, "hex"),
  };
}

function takeSubmit(session, submit) {
  const [reference, total, segment] = concatenation(submit);
  const rule = ruleFor(submit.destination_addr, segment);
  const id = nextId++;
  write("submit", {
    session: session.number,
    from: submit.source_addr,
    from_ton: submit.source_addr_ton,
    from_npi: submit.source_addr_npi,
    to: submit.destination_addr,
    to_ton: submit.dest_addr_ton,
    to_npi: submit.dest_addr_npi,
    esm_class: submit.esm_class,
    data_coding: submit.data_coding,
    registered_delivery: submit.registered_delivery,
    octets: (submit.message_payload ?? submit.short_message).toString("hex"),
    reference,
    total,
    segment,
    status: rule.hang_up ? null : rule.status,
    id: ID_FORMS.hex(id),
  });
  if (rule.hang_up) {
    session.destroy();
    return;
  }
  const isAccepted = rule.status === 0;
  const receipts = isAccepted && submit.registered_delivery ? rule.receipts : [];
  const send = (receipt) => deliver(receiptFor(session, submit, id, receipt));
  receipts.filter((receipt) => receipt.early).forEach(send);
  session.send(submit.response({ command_status: rule.status, message_id: ID_FORMS[rule.id_form](id) }));
  for (const receipt of receipts.filter((receipt) => !receipt.early)) {
    const { after_ms = 0, jitter_ms = 0 } = receipt;
    const delay = after_ms + (jitter_ms ? (id * 7919) % jitter_ms : 0);
    if (delay === 0) send(receipt);
    else setTimeout(() => send(receipt), delay);
  }
}

function bind(session, pdu, receives) {
  const isKnown = pdu.password === options.password;
  write("bind", { session: session.number, command: pdu.command, system_id: pdu.system_id, accepted: isKnown });
  if (!isKnown) {
    session.send(pdu.response({ command_status: smpp.ESME_RBINDFAIL }), () => session.close());
    return;
  }
  session.systemId = pdu.system_id;
  session.send(pdu.response({ system_id: "smsc" }));
  if (receives) {
    receivers.add(session);
    waiting.splice(0).forEach(deliver);
  }
}

const smsc = smpp.createServer((session) => {
  session.number = nextSession++;
  session.unacknowledged = new Set();
  session.socket.setNoDelay(true);
  session.on("bind_transceiver", (pdu) => bind(session, pdu, true));
  session.on("bind_receiver", (pdu) => bind(session, pdu, true));
  session.on("bind_transmitter", (pdu) => bind(session, pdu, false));
  session.on("submit_sm", (pdu) => takeSubmit(session, pdu));
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    receivers.delete(session);
    session.send(pdu.response(), () => session.close());
  });
  session.on("unknown", (pdu) => session.send(pdu.response()));
  session.on("error", () => session.destroy());
  session.on("close", () => {
    receivers.delete(session);
    write("close", { session: session.number });
    // What nobody acknowledged was not delivered: it goes out again.
    session.unacknowledged.forEach(deliver);
  });
});

const control = http.createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += piece));
  request.on("end", () => {
    if (request.method === "POST" && request.url === "/texts") JSON.parse(body).map(textOf).forEach(deliver);
    else if (request.method === "POST") rules.push(JSON.parse(body));
    else rules.length = 0;
    response.writeHead(204).end();
  });
});

smsc.listen(0, "127.0.0.1", () =>
  control.listen(0, "127.0.0.1", () =>
    console.log(JSON.stringify({ smpp: smsc.address().port, control: control.address().port })),
  ),
);
process.stdin.resume().on("end", () => process.exit(0));
