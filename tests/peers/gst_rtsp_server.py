#!/usr/bin/python3
"""An RTSP server that is not ours: plays one GStreamer pipeline to whoever asks, until killed.

Usage: gst_rtsp_server.py PIPELINE
PIPELINE is what gst-rtsp-server calls a launch line, with payloaders named pay0, pay1, ...
Prints "ready rtsp://127.0.0.1:PORT/stream". Needs the distribution's python3-gi and
gir1.2-gst-rtsp-server-1.0, so it is run by /usr/bin/python3, whatever else is first in PATH.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main():
    Gst.init(None)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(sys.argv[1])
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    server.get_mount_points().add_factory("/stream", factory)
    if server.attach(None) == 0:
        sys.exit("cannot listen")
    print(f"ready rtsp://127.0.0.1:{server.get_bound_port()}/stream", flush=True)
    GLib.MainLoop().run()


main()
