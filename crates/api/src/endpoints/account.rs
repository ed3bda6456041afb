//! The first owner, logging in and out, one's own account.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;
use stdx::Secret;
use store::registry::{NewUser, Role as KeptRole};

use super::view::Role;
use crate::app::App;
use crate::auth::{Access, Caller, Peer, password, session};
use crate::openapi::doc;
use crate::problem::Problem;
use crate::routes::{Json, Routes};

const OK: StatusCode = StatusCode::OK;
const CREATED: StatusCode = StatusCode::CREATED;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/setup",
            Access::Public,
            doc("Whether the first owner is still to be made").answers::<SetupState>(OK),
            setup_state,
        )
        .post(
            "/api/v1/setup",
            Access::SetupToken,
            doc("Make the first owner with the token of the set-up link, and log in")
                .takes::<Setup>()
                .answers::<Me>(CREATED)
                .fails(&[409, 410, 429]),
            setup,
        )
        .post(
            "/api/v1/login",
            Access::Public,
            doc("Log in").takes::<Login>().answers::<LoggedIn>(OK).fails(&[401, 429]),
            login,
        )
        .post("/api/v1/logout", Access::Public, doc("End this session"), logout)
        .get("/api/v1/me", Access::Viewer, doc("Who I am").answers::<Me>(OK), me)
        .patch(
            "/api/v1/me",
            Access::Viewer,
            doc("Change my language").takes::<MeEdit>().answers::<Me>(OK).fails(&[409]),
            edit_me,
        )
        .post(
            "/api/v1/me/password",
            Access::Viewer,
            doc("Set my password and end my other sessions")
                .takes::<NewPassword>()
                .fails(&[403, 409, 429]),
            set_my_password,
        )
}

#[derive(Serialize, JsonSchema)]
struct SetupState {
    /// Nobody can log in before somebody opened the set-up link.
    needed: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Setup {
    /// From the link that khien printed at its start.
    token: String,
    name: String,
    password: String,
    #[serde(default = "english")]
    language: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    name: String,
    password: String,
}

/// An account.
#[derive(Serialize, JsonSchema)]
struct Me {
    name: String,
    role: Role,
    language: String,
}

#[derive(Serialize, JsonSchema)]
struct LoggedIn {
    user: Me,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MeEdit {
    language: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    old: String,
    new: String,
}

pub(super) fn english() -> String {
    "en".to_owned()
}

async fn setup_state(State(app): State<App>) -> Result<axum::Json<SetupState>, Problem> {
    let owned = app.blocking(|app| app.registry().has_owner()).await?;
    Ok(axum::Json(SetupState { needed: !owned }))
}

async fn setup(
    State(app): State<App>,
    caller: Caller,
    peer: Peer,
    headers: HeaderMap,
    Json(body): Json<Setup>,
) -> Result<Response, Problem> {
    let gone =
        || Problem::new(StatusCode::GONE, "setup-done", "this recorder has an owner already");
    if app.blocking(|app| app.registry().has_owner()).await? {
        return Err(gone());
    }
    // No account: guesses at the token are counted by address.
    let wait = app.throttle().wait("", peer.address, app.clock().mono());
    if let Some(wait) = wait {
        return Err(locked(wait));
    }
    if caller != Caller::Local && !app.setup_token_is(&body.token) {
        app.throttle().failed("", peer.address, app.clock().mono());
        let detail = "the set-up link is wrong or too old; restart khien for a new one";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "setup-token", detail));
    }
    good_password(&body.password, &body.name)?;
    let hash = app.hasher().turn().await?.hash(Secret::new(body.password)).await?;
    let new = NewUser {
        name: body.name,
        role: KeptRole::Owner,
        password_hash: hash,
        language: body.language,
    };
    let user = app
        .blocking(move |app| app.registry().add_first_owner(new, app.clock().wall()))
        .await
        .map_err(|p| if p.code() == "setup-done" { gone() } else { p })?;
    app.close_setup();
    tracing::info!(user = ?user.name, "the first owner is made");
    let token = app.open_session(user.name.clone(), &headers, peer.address, None).await?;
    let me = Me { name: user.name, role: Role::Owner, language: user.language };
    Ok((CREATED, [(header::SET_COOKIE, session::cookie(&peer, Some(&token)))], axum::Json(me))
        .into_response())
}

/// Rules of passwords, and that it is not the account's own name.
pub(super) fn good_password(password: &str, name: &str) -> Result<(), Problem> {
    password::check(password)?;
    let (password, name) = (password.to_lowercase(), name.trim().to_lowercase());
    if password.contains(&name) && password.len() < name.len() + 8 {
        let detail = "this password is little more than the name; choose another";
        return Err(Problem::invalid("password-simple", detail));
    }
    Ok(())
}

fn locked(wait: std::time::Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    let detail = "too many failed log-ins; wait before the next";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "login-locked", detail).retry_after(seconds)
}

fn wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "login", "name or password is wrong")
}

/// Checks a password of an account, known or not, in the same time and with the same answer.
async fn prove(app: &App, name: &str, password: Secret, peer: &Peer) -> Result<(), Problem> {
    let turn = app.hasher().turn().await?;
    let wait = app.throttle().wait(name, peer.address, app.clock().mono());
    if let Some(wait) = wait {
        app.counters().logins_locked.fetch_add(1, Ordering::Relaxed);
        return Err(locked(wait));
    }
    let wanted = name.to_owned();
    let user = app.blocking(move |app| app.registry().user(&wanted)).await?;
    // A password longer than any that was ever set would only cost time.
    let long = password.reveal().len() > password::BYTES_MAX;
    let phc = user.filter(|_| !long).map(|u| u.password_hash);
    let password = if long { Secret::from("") } else { password };
    if turn.verify(phc, password).await? {
        app.throttle().worked(name, peer.address, app.clock().mono());
        app.counters().logins_ok.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    app.throttle().failed(name, peer.address, app.clock().mono());
    app.counters().logins_failed.fetch_add(1, Ordering::Relaxed);
    Err(wrong())
}

async fn login(
    State(app): State<App>,
    peer: Peer,
    headers: HeaderMap,
    Json(body): Json<Login>,
) -> Result<Response, Problem> {
    let name = body.name.trim().to_owned();
    let proved = prove(&app, &name, Secret::new(body.password), &peer).await;
    if let Err(problem) = proved {
        // The name is not logged: people type passwords into that field.
        tracing::warn!(address = %peer.address, code = problem.code(), "log-in refused");
        return Err(problem);
    }
    let wanted = name.clone();
    let user = app.blocking(move |app| app.registry().user(&wanted)).await?.ok_or_else(wrong)?;
    let old = session::presented(&headers, &peer);
    let token = app.open_session(name, &headers, peer.address, old).await?;
    tracing::info!(user = ?user.name, address = %peer.address, "logged in");
    let user = Me { name: user.name, role: user.role.into(), language: user.language };
    let cookie = [(header::SET_COOKIE, session::cookie(&peer, Some(&token)))];
    Ok((cookie, axum::Json(LoggedIn { user })).into_response())
}

async fn logout(State(app): State<App>, caller: Caller, peer: Peer) -> Result<Response, Problem> {
    if let Caller::User { session, .. } = caller {
        app.blocking(move |app| app.registry().remove_session(&session)).await?;
    }
    let cookie = [(header::SET_COOKIE, session::cookie(&peer, None))];
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}

async fn me(caller: Caller) -> Result<axum::Json<Me>, Problem> {
    std::future::ready(who(caller)).await
}

fn who(caller: Caller) -> Result<axum::Json<Me>, Problem> {
    let me = match caller {
        Caller::User { name, role, language, .. } => Me { name, role: role.into(), language },
        Caller::Local => Me { name: "local".to_owned(), role: Role::Owner, language: english() },
        Caller::Anonymous => return Err(Problem::internal()),
    };
    Ok(axum::Json(me))
}

async fn edit_me(
    State(app): State<App>,
    mut caller: Caller,
    Json(body): Json<MeEdit>,
) -> Result<axum::Json<Me>, Problem> {
    let (name, _) = caller.account()?;
    if let Some(new) = body.language {
        let (name, tag) = (name.to_owned(), new.clone());
        app.blocking(move |app| app.registry().set_language(&name, &tag)).await?;
        if let Caller::User { language, .. } = &mut caller {
            *language = new;
        }
    }
    who(caller)
}

async fn set_my_password(
    State(app): State<App>,
    caller: Caller,
    peer: Peer,
    Json(body): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let (name, keep) = caller.account()?;
    good_password(&body.new, name)?;
    // A wrong old password is not a lost session: 401 would send the page to its log-in.
    prove(&app, name, Secret::new(body.old), &peer).await.map_err(|p| match p.status() {
        StatusCode::UNAUTHORIZED => {
            Problem::new(StatusCode::FORBIDDEN, "password-old", "the old password is wrong")
        }
        _ => p,
    })?;
    let hash = app.hasher().turn().await?.hash(Secret::new(body.new)).await?;
    let name = name.to_owned();
    app.blocking(move |app| {
        app.registry().set_password(&name, &hash, Some(keep))?;
        tracing::info!(user = ?name, "password changed");
        Ok::<_, stdx::Error>(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
