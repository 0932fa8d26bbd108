//! SMPP client (ESME).
