//! An explanation as people read it in a terminal.

use std::fmt;

use super::{ExplanationJson, Undecided};

impl fmt::Display for ExplanationJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sid = self.message_sid.as_deref().unwrap_or("would go");
        let from = self.from.unwrap_or("nobody");
        writeln!(f, "{sid}  {from} → {}", self.to)?;
        self.facts()
            .iter()
            .try_for_each(|fact| writeln!(f, "  {fact}"))?;
        let rows: Vec<_> = self.steps().chain(self.fates()).collect();
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let [wa, wb, wc] = [0, 1, 2].map(width);
        for [what, who, rule, reason] in &rows {
            let line = format!("  {what:wa$}  {who:wb$}  {rule:wc$}  {reason}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Cells: what it is about, who, which rule, why.
type Row = [String; 4];

impl ExplanationJson<'_> {
    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        let Some(decision) = &self.decision else {
            let why = self.undecided.map(Undecided::words);
            facts.extend(why.map(|why| format!("nothing was chosen: {why}")));
            facts.extend(self.fate());
            return facts;
        };
        facts.push(decision.summary.clone());
        let area_code = decision.area_code.as_ref();
        let network = decision.network.as_ref();
        let recipient: Vec<_> = [
            decision.country.clone(),
            area_code.map(|code| format!("area code {code}")),
            network.map(|network| format!("network {network}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !recipient.is_empty() {
            facts.push(format!("recipient: {}", recipient.join(", ")));
        }
        if decision.sticky != "ignore" {
            let why = decision.sticky_words.map(|words| format!(" ({words})"));
            let why = why.unwrap_or_default();
            facts.push(format!("sticky mapping: {}{why}", decision.sticky));
        }
        if decision.is_converted_to_sms && decision.rule.is_some() {
            facts.push("its media goes out as a link".into());
        }
        facts.extend(decision.warning_code.map(|code| format!("warning {code}")));
        facts.extend(self.fate());
        facts
    }

    fn fate(&self) -> impl Iterator<Item = String> {
        let failed = self.error_code.map(|code| format!("fails with {code}"));
        let attempts = self.attempts;
        let carrier = self
            .carrier
            .map(|carrier| format!("carrier {carrier}, attempts {attempts}"));
        let is_twice = self.possible_duplicate;
        let twice = is_twice.then(|| "may have gone out twice".to_owned());
        [failed, carrier, twice].into_iter().flatten()
    }

    fn steps(&self) -> impl Iterator<Item = Row> {
        let steps = self.decision.iter().flat_map(|decision| &decision.steps);
        steps.map(|step| {
            let left = format!("{} left", step.left);
            ["step".into(), left, step.rule.into(), String::new()]
        })
    }

    fn fates(&self) -> impl Iterator<Item = Row> {
        let listed = self.candidates.iter().map(|candidate| {
            let sender = candidate.sender.as_ref().map(ToString::to_string);
            let since = if candidate.has_left {
                "; it has left the pool since"
            } else {
                ""
            };
            [
                candidate.outcome.into(),
                sender.unwrap_or_default(),
                candidate.rule.into(),
                format!("{}{since}", candidate.reason),
            ]
        });
        let unlisted = self.decision.iter().flat_map(|decision| &decision.unlisted);
        let unlisted = unlisted.map(|unlisted| {
            let count = format!("{} more", unlisted.count);
            let how = "counted, not named".to_owned();
            ["removed".into(), count, unlisted.rule.into(), how]
        });
        listed.chain(unlisted)
    }
}
