//! What a request asks: its parameters and the names in its path, checked.
//!
//! Invariant: a value outside its set or range is refused and said, never corrected in silence.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Refusal;

/// The parameters of a request; unknown ones and wrong ones are refused.
#[derive(Debug)]
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                Err(Refusal::bad(error.body_text()))
            }
            Err(error) => Err(Refusal::bad(error.to_string())),
        }
    }
}

/// No parameters at all.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// The account that a path names: seller, and marketplace or `-` for none.
#[derive(Debug)]
pub(super) struct Named {
    pub seller_id: String,
    pub marketplace_id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path: Result<_, PathRejection> =
            Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((seller_id, marketplace)) =
            path.map_err(|error| Refusal::bad(error.body_text()))?;
        let marketplace_id = if marketplace == "-" { String::new() } else { marketplace };
        Ok(Self { seller_id, marketplace_id })
    }
}

/// A value of a closed set by its name.
pub(super) fn known<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    parameter: &str,
    asked: &str,
) -> Result<T, Refusal> {
    all.iter().copied().find(|value| name(*value) == asked).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|value| name(*value)).collect();
        Refusal::bad(format!("{parameter} must be one of {}", names.join(", ")))
    })
}

/// How many items are wanted, of a page's usual and greatest number.
pub(super) fn limit(asked: Option<usize>, (usual, most): (usize, usize)) -> Result<usize, Refusal> {
    let wanted = asked.unwrap_or(usual);
    if (1..=most).contains(&wanted) {
        Ok(wanted)
    } else {
        Err(Refusal::bad(format!("limit must be from 1 to {most}, not {wanted}")))
    }
}
