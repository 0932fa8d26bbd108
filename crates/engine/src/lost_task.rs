//! What a request is told whose task gave no answer: it panicked, which is our bug, or the process
//! stops and never ran it, which is nobody's.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use tokio::task::JoinError;

/// Logs what happened. `task` names the task as in "a read of the store".
pub(crate) fn fault(task: &str, error: &JoinError) -> Fault {
    if error.is_cancelled() {
        tracing::debug!("{task} was dropped in a stop");
        return Fault::new(ErrorCode::Unavailable);
    }
    tracing::error!(%error, "{task} panicked");
    Fault::new(ErrorCode::InternalError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_is_told_from_a_bug() {
        let waits = tokio::spawn(std::future::pending::<()>());
        waits.abort();
        let dropped = fault("a wait", &waits.await.unwrap_err());
        assert_eq!(dropped.code, ErrorCode::Unavailable);
        let panics = tokio::spawn(async { panic!("a bug") });
        let panicked = fault("a bug", &panics.await.unwrap_err());
        assert_eq!(panicked.code, ErrorCode::InternalError);
    }
}
