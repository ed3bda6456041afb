//! `khien user`: accounts from the command line, also before the first start.

use serde_json::json;
use stdx::Result;

use crate::cli::{Role, User};
use crate::local::Local;
use crate::text;

pub(crate) async fn run(command: User) -> Result<()> {
    match command {
        User::Add(args) => {
            let password = text::password(&args.password_file)?;
            let role = match args.role {
                Role::Owner => "owner",
                Role::Viewer => "viewer",
            };
            let local = Local::open_or_create(&args.data.data).await?;
            let body = json!({ "name": args.name, "role": role, "password": password.reveal() });
            local.post("/api/v1/users", &body).await?;
            text::line(&format!("added {} ({role})", args.name));
        }
        User::Reset(args) => {
            let password = text::password(&args.password_file)?;
            let local = Local::open(&args.data.data).await?;
            let uri = format!("/api/v1/users/{}/password", crate::local::segment(&args.name));
            local.post(&uri, &json!({ "password": password.reveal() })).await?;
            text::line(&format!("new password for {}; its sessions are ended", args.name));
        }
    }
    Ok(())
}
