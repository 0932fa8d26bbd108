//! The story of a message in one line: where it went, from whom and why, and how it ended.

use std::io::IsTerminal;

use postrider_core::message::{Direction, Message, Status};
use postrider_core::select::Decision;

/// Tells stories, one below the other.
pub(super) struct Teller {
    has_colors: bool,
    /// Columns so far; they only grow.
    to_width: usize,
    path_width: usize,
    size_width: usize,
}

/// The end that most messages have: room is made for it beforehand.
const USUAL_END: &str = " → sent → delivered";

impl Teller {
    pub(super) fn new() -> Self {
        Self {
            has_colors: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            to_width: 0,
            path_width: 0,
            size_width: 0,
        }
    }

    /// Makes the columns wide enough for messages whose end is still to come.
    pub(super) fn make_room(&mut self, messages: &[Message]) {
        for message in messages {
            let path = width(&beginning(message)) + width(USUAL_END);
            self.widen(width(&message.to), path, width(&size(message)));
        }
    }

    pub(super) fn tell(&mut self, message: &Message) -> String {
        let (beginning, end, size) = (beginning(message), end(message), size(message));
        let path_width = width(&beginning) + width(&end);
        self.widen(width(&message.to), path_width, width(&size));
        let end = self.colored(message.status, &end);
        let path_padding = self.path_width - path_width;
        let remark = match message.submitted_body {
            Some(_) => "  smart-encoded",
            None => "",
        };
        let duration_ms = message.updated_ms - message.created_ms();
        format!(
            "{to:<to_width$}  {beginning}{end}{:path_padding$}  {size:<size_width$}  {duration_ms:>3} ms{remark}",
            "",
            to = message.to,
            to_width = self.to_width,
            size_width = self.size_width,
        )
    }

    fn widen(&mut self, to: usize, path: usize, size: usize) {
        self.to_width = self.to_width.max(to);
        self.path_width = self.path_width.max(path);
        self.size_width = self.size_width.max(size);
    }

    fn colored(&self, status: Status, end: &str) -> String {
        if !self.has_colors {
            return end.to_owned();
        }
        let color = if status.is_failure() { 31 } else { 32 };
        format!("\x1b[{color}m{end}\x1b[0m")
    }
}

/// Characters, each one column wide in everything we print here.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Accepted, and its sender with the reason.
fn beginning(message: &Message) -> String {
    if message.direction == Direction::Inbound {
        return format!("texted by {}", message.from.as_deref().unwrap_or("nobody"));
    }
    let decision = message.decision.as_deref().map(Decision::from_bytes);
    let reason = match decision {
        Some(Ok(decision)) => format!(" ({})", decision.summary()),
        Some(Err(_)) | None => String::new(),
    };
    let from = message.from.as_deref().unwrap_or("nobody");
    format!("accepted → {from}{reason}")
}

fn end(message: &Message) -> String {
    let sent = if message.sent_ms.is_some() && message.direction != Direction::Inbound {
        " → sent"
    } else {
        ""
    };
    let error = message
        .error
        .map_or_else(String::new, |code| format!(" {}", code.code()));
    format!("{sent} → {}{error}", message.status.as_str())
}

fn size(message: &Message) -> String {
    let encoding = message.encoding.as_str();
    let plural = if message.num_segments == 1 { "" } else { "s" };
    format!("{} segment{plural} {encoding}", message.num_segments)
}
