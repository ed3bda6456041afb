//! The routes, a file per thing a person does. The JSON types live beside the routes that use
//! them; nothing below this crate knows JSON.

mod account;
mod cameras;
mod history;
mod live;
mod media;
mod status;
mod users;
mod view;

use crate::routes::Routes;

/// The whole table.
pub(crate) fn all(routes: Routes) -> Routes {
    let routes = status::routes(routes);
    let routes = account::routes(routes);
    let routes = users::routes(routes);
    let routes = cameras::routes(routes);
    let routes = history::routes(routes);
    let routes = media::routes(routes);
    live::routes(routes)
}
