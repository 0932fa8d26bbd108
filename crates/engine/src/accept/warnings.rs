//! What there is to say of a message that goes on all the same, in one place: what a dry run can foresee of the
//! alerts that such a message may raise, and what there is to say of its pool. `docs/api.md` lists them.

use postrider_core::clock::Millis;
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{Message, Status};
use postrider_core::select::{Decision, Pool};
use postrider_core::sender::SenderAddress;
use postrider_core::validity;

use super::{Acceptor, Draft};
use crate::caps::Use;
use crate::preregistration;
use crate::settings::PoolWarning;
use crate::webhooks;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `None` where Twilio has none.
    pub code: Option<ErrorCode>,
    pub text: String,
}

impl From<PoolWarning> for Warning {
    fn from(warning: PoolWarning) -> Self {
        Self {
            code: None,
            text: warning.to_string(),
        }
    }
}

impl Acceptor {
    /// Of a message as it would be; none of one that would fail.
    pub(super) fn warnings(
        &self,
        request: &CreateMessage,
        draft: &Draft<'_>,
        message: &Message,
        decision: Option<&Decision>,
        pool: &Pool,
        now_ms: Millis,
    ) -> Vec<Warning> {
        let (Status::Queued, Some(sender)) = (message.status, message.sender) else {
            return Vec::new();
        };
        let used = Use {
            sender,
            segments: message.num_segments,
            to: draft.to.number,
        };
        let of_validity = self.of_validity(request, draft).map(|text| Warning {
            code: Some(ErrorCode::InheritedValidityPeriodInvalid),
            text,
        });
        let of_pool = pool
            .get(sender)
            .and_then(|sender| PoolWarning::about(pool, sender));
        let of_message = [
            self.of_registration(draft, message, decision),
            self.caps.foresee(&self.directory, used, now_ms),
            of_validity,
        ];
        let url = message.status_callback.as_deref().unwrap_or_default();
        let of_url = webhooks::invalid_overrides(url);
        let of_url = of_url.into_iter().map(|invalid| Warning {
            code: Some(invalid.code()),
            text: invalid.to_string(),
        });
        let of_message = of_message.into_iter().flatten().chain(of_url);
        of_message.chain(of_pool.map(Into::into)).collect()
    }

    /// The pre-registration alert, whether or not the service asks for it.
    fn of_registration(
        &self,
        draft: &Draft<'_>,
        message: &Message,
        decision: Option<&Decision>,
    ) -> Option<Warning> {
        let country = draft.to.number.country()?;
        let from = message.from.as_deref()?;
        let code = ErrorCode::PreregistrationWanted;
        let is_wanted = match (decision, SenderAddress::parse(from)) {
            (Some(decision), _) => decision.warning == Some(code),
            (None, Some(SenderAddress::Alpha(id))) => {
                let account = self.directory.account_by_no(draft.account);
                account.is_some_and(|account| self.is_unregistered(&account, &id, country))
            }
            (None, _) => false,
        };
        is_wanted.then(|| {
            let wish = self.coverage.load().preregistration(country);
            Warning {
                code: Some(code),
                text: preregistration::sentence(from, country, wish),
            }
        })
    }

    /// Of a period that is the service's and not used as it is: the limit may have been lowered since.
    pub(super) fn of_validity(&self, request: &CreateMessage, draft: &Draft<'_>) -> Option<String> {
        let service = draft.service.as_ref();
        let service = service.filter(|_| request.validity_period.is_none())?;
        let (given_s, max_s) = (service.validity_period_s, self.limits.max_validity_period);
        validity::is_inherited_too_long(given_s, max_s).then(|| {
            format!(
                "The service's ValidityPeriod of {given_s} seconds is over the limit; its messages \
                 get {max_s}"
            )
        })
    }
}
