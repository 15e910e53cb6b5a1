//! How the control socket says that something is wrong: a status and `{"error": "…"}`, with every cause.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::peer::NotAllowed;
use crate::respond::answer::AnswerError;
use crate::respond::gather::GatherError;

/// An answer that is no answer.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    text: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(deeper) = cause {
            text.push_str(": ");
            text.push_str(&deeper.to_string());
            cause = deeper.source();
        }
        Self { status, text }
    }

    pub(crate) fn broken(error: &dyn std::error::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    pub(crate) fn wrong(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(error = self.text, "the control socket could not answer");
        }
        (self.status, Json(json!({"error": self.text}))).into_response()
    }
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        let status = match &error {
            AnswerError::NoCase(_) | AnswerError::NoPlan { .. } => StatusCode::NOT_FOUND,
            AnswerError::NoPlaybook(_) | AnswerError::NothingToUndo(_) | AnswerError::Replay(_) => StatusCode::CONFLICT,
            AnswerError::Refused(_) => StatusCode::FORBIDDEN,
            AnswerError::Ledger(_) | AnswerError::Gather(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, &error)
    }
}

impl From<GatherError> for Problem {
    fn from(error: GatherError) -> Self {
        Self::broken(&error)
    }
}

impl From<NotAllowed> for Problem {
    fn from(error: NotAllowed) -> Self {
        Self::new(StatusCode::FORBIDDEN, &error)
    }
}
