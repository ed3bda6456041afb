//! Accounts, as owners see them.

use axum::extract::State;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stdx::{Error, Kind, Secret};
use store::registry::{NewUser, User};

use super::account::{english, good_password};
use super::view::Role;
use crate::app::App;
use crate::auth::Access;
use crate::openapi::doc;
use crate::problem::Problem;
use crate::routes::{Json, Path, Routes};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(
            "/api/v1/users",
            Access::Owner,
            doc("All accounts").answers::<Vec<UserView>>(StatusCode::OK),
            list,
        )
        .post(
            "/api/v1/users",
            Access::Owner,
            doc("Add an account")
                .takes::<UserNew>()
                .answers::<UserView>(StatusCode::CREATED)
                .fails(&[409]),
            add,
        )
        .delete(
            "/api/v1/users/{name}",
            Access::Owner,
            doc("Remove an account and end its sessions").fails(&[409]),
            remove,
        )
        .post(
            "/api/v1/users/{name}/password",
            Access::Owner,
            doc("Set an account's password and end its sessions").takes::<PasswordSet>(),
            set_password,
        )
}

/// An account.
#[derive(Serialize, JsonSchema)]
struct UserView {
    name: String,
    role: Role,
    language: String,
    created: String,
}

impl From<User> for UserView {
    fn from(u: User) -> Self {
        Self {
            name: u.name,
            role: u.role.into(),
            language: u.language,
            created: u.created.to_string(),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserNew {
    name: String,
    role: Role,
    password: String,
    #[serde(default = "english")]
    language: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordSet {
    password: String,
}

async fn list(State(app): State<App>) -> Result<axum::Json<Vec<UserView>>, Problem> {
    let users = app.blocking(|app| app.registry().users()).await?;
    Ok(axum::Json(users.into_iter().map(UserView::from).collect()))
}

async fn add(
    State(app): State<App>,
    Json(body): Json<UserNew>,
) -> Result<(StatusCode, axum::Json<UserView>), Problem> {
    good_password(&body.password, &body.name)?;
    let password_hash = app.hasher().turn().await?.hash(Secret::new(body.password)).await?;
    let new =
        NewUser { name: body.name, role: body.role.into(), password_hash, language: body.language };
    let user = app.blocking(move |app| add_apart(app, new)).await?;
    tracing::info!(user = ?user.name, role = user.role.slug(), "account added");
    Ok((StatusCode::CREATED, axum::Json(user.into())))
}

/// Adds an account whose name differs from all others by more than upper and lower case: people
/// would take one for the other.
fn add_apart(app: &App, new: NewUser) -> stdx::Result<User> {
    let _turn = app.accounts();
    let wanted = new.name.trim().to_lowercase();
    if let Some(taken) = app.registry().users()?.iter().find(|u| u.name.to_lowercase() == wanted) {
        let message = format!("there is an account \"{}\" already", taken.name);
        return Err(Error::new(Kind::AlreadyExists, message).with_code("name-taken"));
    }
    app.registry().add_user(new, app.clock().wall())
}

async fn remove(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    app.blocking(move |app| {
        app.registry().remove_user(&name)?;
        tracing::info!(user = ?name, "account removed");
        Ok::<_, Error>(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_password(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(body): Json<PasswordSet>,
) -> Result<StatusCode, Problem> {
    good_password(&body.password, &name)?;
    let hash = app.hasher().turn().await?.hash(Secret::new(body.password)).await?;
    app.blocking(move |app| {
        app.registry().set_password(&name, &hash, None)?;
        tracing::info!(user = ?name, "password set by an owner");
        Ok::<_, Error>(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
