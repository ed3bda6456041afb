//! Who asks, and whether they may: sessions, passwords, the guard in front of every route.

pub(crate) mod guard;
pub mod password;
pub(crate) mod session;
pub(crate) mod throttle;

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use store::registry::Role;

use crate::problem::Problem;

/// Who may use a route. Every route says one; there is no default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Whoever holds the one-time token of the set-up link; the handler checks it.
    SetupToken,
    /// Anybody who is logged in.
    Viewer,
    /// Owners.
    Owner,
    /// Owners, and whoever presents the token of `/metrics`; the check before the handler knows.
    Collector,
}

impl Access {
    /// Every access class, for tests and documents.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::SetupToken => "setup_token",
            Self::Viewer => "viewer",
            Self::Owner => "owner",
            Self::Collector => "owner_or_token",
        }
    }

    /// The decision, in one place.
    pub(crate) fn admits(self, caller: &Caller) -> Result<(), Problem> {
        match (self, caller.role()) {
            (Self::Public | Self::SetupToken, _)
            | (_, Some(Role::Owner))
            | (Self::Viewer, Some(Role::Viewer)) => Ok(()),
            (Self::Owner | Self::Collector, Some(Role::Viewer)) => {
                Err(Problem::new(StatusCode::FORBIDDEN, "role", "only an owner may do this"))
            }
            (_, None) => Err(Problem::new(StatusCode::UNAUTHORIZED, "session", "log in first")),
        }
    }
}

/// The connection a request came over, set by the code that accepted it and by nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Where from; unspecified for local calls.
    pub(crate) address: IpAddr,
    /// Over TLS.
    pub(crate) tls: bool,
    /// Over the Unix socket or from inside this process: owner's rights.
    pub(crate) local: bool,
    /// Ends long-lived answers.
    pub(crate) stop: Option<net::Stop>,
}

impl Peer {
    /// A call from this process or over the Unix socket.
    pub(crate) fn local(stop: Option<net::Stop>) -> Self {
        Self { address: IpAddr::from([0, 0, 0, 0]), tls: false, local: true, stop }
    }

    /// What a request without a peer is taken for: the least trusted.
    pub(crate) fn unknown() -> Self {
        Self { local: false, ..Self::local(None) }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody we know.
    Anonymous,
    /// The operator of this machine, by socket or command line.
    Local,
    /// A session.
    User { name: String, role: Role, language: String, session: [u8; 32] },
}

impl Caller {
    pub(crate) const fn role(&self) -> Option<Role> {
        match self {
            Self::Anonymous => None,
            Self::Local => Some(Role::Owner),
            Self::User { role, .. } => Some(*role),
        }
    }

    pub(crate) fn is_owner(&self) -> bool {
        self.role() == Some(Role::Owner)
    }

    /// The account, where there is one.
    pub(crate) fn account(&self) -> Result<(&str, [u8; 32]), Problem> {
        match self {
            Self::User { name, session, .. } => Ok((name, *session)),
            _ => Err(Problem::new(
                StatusCode::CONFLICT,
                "no-account",
                "this caller has no account of its own",
            )),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The check in front of every handler has put it there.
        std::future::ready(parts.extensions.get().cloned().ok_or_else(Problem::internal)).await
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        std::future::ready(Ok(parts.extensions.get().cloned().unwrap_or_else(Self::unknown))).await
    }
}
