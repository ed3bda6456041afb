//! The table of routes. [`Routes`] is the only way to add one, and takes an access class and a
//! description with each: a route without them does not compile. The check runs around every
//! single handler, so that no order of layers can leave one out.

use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::request::Parts;
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::auth::{Access, Caller, Peer, guard};
use crate::openapi::{Doc, Endpoint};
use crate::problem::Problem;
use crate::{endpoints, web};

/// Largest body of a request.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 10;

/// Routes being put together.
pub(crate) struct Routes {
    endpoints: Vec<Endpoint>,
    router: axum::Router<App>,
    app: Option<App>,
}

impl Routes {
    pub(crate) fn get<H, T>(self, path: &'static str, access: Access, doc: Doc, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::GET, MethodFilter::GET, path, access, doc, handler)
    }

    pub(crate) fn post<H, T>(self, path: &'static str, access: Access, doc: Doc, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::POST, MethodFilter::POST, path, access, doc, handler)
    }

    pub(crate) fn patch<H, T>(
        self,
        path: &'static str,
        access: Access,
        doc: Doc,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::PATCH, MethodFilter::PATCH, path, access, doc, handler)
    }

    pub(crate) fn delete<H, T>(
        self,
        path: &'static str,
        access: Access,
        doc: Doc,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::DELETE, MethodFilter::DELETE, path, access, doc, handler)
    }

    fn add<H, T>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        access: Access,
        doc: Doc,
        handler: H,
    ) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        if let Some(app) = &self.app {
            let checked: MethodRouter<App> = on(filter, handler)
                .route_layer(from_fn_with_state((app.clone(), access), check))
                .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
            // The router takes a parameter only as a whole segment; its handler cuts the suffix.
            let routed = path.replace("}.mp4", "}");
            self.router = self.router.route(&routed, checked);
        }
        self.endpoints.push(Endpoint { method, path, access, doc });
        self
    }
}

/// The one check between a request and its handler.
async fn check(
    State((app, access)): State<(App, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_else(Peer::unknown);
    let caller = match access {
        // No database for those who may come anyway, except to know whom to log out.
        Access::Public if !session_matters(&request, &peer) => Ok(Caller::Anonymous),
        _ => app.caller(request.headers(), &peer).await,
    };
    let collector = access == Access::Collector && app.may_collect(request.headers());
    let admitted = caller.and_then(|caller| match access.admits(&caller) {
        Err(_) if collector => Ok(Caller::Anonymous),
        admitted => admitted.map(|()| caller),
    });
    match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn session_matters(request: &Request, peer: &Peer) -> bool {
    peer.local || request.method() == Method::POST
}

/// Every endpoint there is, for documents and tests.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    build(None).endpoints
}

/// The service behind every listener.
pub(crate) fn router(app: &App) -> axum::Router {
    let not_allowed = || {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        std::future::ready(Problem::new(status, "method", "this address takes other methods"))
    };
    build(Some(app.clone()))
        .router
        .fallback(web::serve)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app.clone())
}

fn build(app: Option<App>) -> Routes {
    endpoints::all(Routes { endpoints: Vec::new(), router: axum::Router::new(), app })
}

/// A JSON body; its errors are problems like all others.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + JsonSchema> FromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let axum::Json(value) = axum::Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// The query; its errors are problems like all others.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + JsonSchema> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Query(value) =
            axum::extract::Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(value) = axum::extract::Path::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found())?;
        Ok(Self(value))
    }
}
