//! What a viewer learns of a camera: its parameters even if they come only in band, and that it
//! has left.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod stage;

use std::sync::Arc;

use hub::Hub;
use media::codec::Codec;
use media::{Cause, Params, Track};
use net::{Stopper, now};
use rtsp::message::Method;
use stage::viewer::Viewer;
use stage::{PATH, clip, config};
use tokio::net::TcpListener;

struct House {
    hub: Hub,
    address: std::net::SocketAddr,
    /// Dropping it closes the door.
    _stopper: Stopper,
}

impl House {
    async fn open() -> Self {
        let hub = Hub::new();
        let (stopper, stop) = Stopper::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(net::sink::rtsp::serve(listener, hub.clone(), config(None), stop));
        Self { hub, address, _stopper: stopper }
    }
}

fn track() -> Track {
    clip::tracks(&[clip::pictures("h264")]).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn parameter_sets_that_come_only_in_band_are_described() {
    let house = House::open().await;
    let clip = clip::pictures("h264");
    let pending = Track { params: Arc::new(Params::Pending(Codec::H264)), ..track() };
    let publisher = house.hub.publish(PATH, vec![pending.clone()]).unwrap();
    publisher.push(stage::frame(&pending, &clip, 0, now().wall));
    let mut viewer = Viewer::connect(house.address).await;
    let answer = viewer.ask(Method::Describe, "").await;
    let sdp = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        sdp.contains("sprop-parameter-sets=Z") && sdp.contains("x-dimensions:640,360"),
        "{sdp}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_joins_at_the_newest_group_and_gets_all_of_it() {
    let house = House::open().await;
    let clip = clip::pictures("h264");
    let publisher = house.hub.publish(PATH, vec![track()]).unwrap();
    let start = now().wall;
    (0..40).for_each(|n| publisher.push(stage::frame(&track(), &clip, n, start)));
    for _ in 0..3 {
        let mut viewer = Viewer::watch(house.address, track()).await;
        while viewer.units.len() < 10 {
            viewer.read().await;
        }
        let sent = clip.units[30..40].iter().map(|u| &u.data);
        assert!(viewer.units.iter().map(|u| &u.data).eq(sent), "ten frames from the key frame on");
        assert!(viewer.units[0].random_access && viewer.quirks.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_camera_leaves_its_viewers_are_let_go() {
    let house = House::open().await;
    let clip = clip::pictures("h264");
    let publisher = house.hub.publish(PATH, vec![track()]).unwrap();
    publisher.push(stage::frame(&track(), &clip, 0, now().wall));
    let mut viewer = Viewer::watch(house.address, track()).await;
    publisher.close(Cause::NetworkCut);
    while !viewer.closed {
        viewer.read().await;
    }
    assert_eq!(viewer.units.len(), 1);
    let mut viewer = Viewer::connect(house.address).await;
    assert_eq!(viewer.ask(Method::Describe, "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_of_an_earlier_publication_cannot_be_played() {
    let house = House::open().await;
    let clip = clip::pictures("h264");
    let publish = || {
        let publisher = house.hub.publish(PATH, vec![track()]).unwrap();
        publisher.push(stage::frame(&track(), &clip, 0, now().wall));
        publisher
    };
    let first = publish();
    let mut viewer = Viewer::connect(house.address).await;
    viewer.ask(Method::Describe, "").await;
    let set_up = viewer.ask(Method::Setup, "/trackID=0").await;
    viewer.session = set_up.headers.get("Session").map(|s| s[..32].to_owned());
    drop(first);
    let _second = publish();
    viewer.ask(Method::Play, "").await;
    while !viewer.closed {
        viewer.read().await;
    }
    assert!(viewer.units.is_empty());
}
