// What cameras do differently, as far as it concerns people: what it is, and what to do.
export const quirks = {
  "url-redirect": {
    what: "Sends its viewers to another address",
    remedy: "Enter that address directly.",
  },
  "sdp-pcm-name": {
    what: "Sound in a format that is not recorded",
    remedy: "Set the camera's sound to G.711 or AAC.",
  },
  "sdp-transport-mp2t": {
    what: "Sends an MPEG transport stream",
    remedy: "Set the camera to send RTP with H.264 or H.265; transport streams cannot be recorded.",
  },
  "auth-basic": {
    what: "Sends the password readable",
    remedy:
      "Switch on Digest authentication or RTSPS at the camera; with Basic anybody in the network can read the password.",
  },
  "auth-drop": {
    what: "Closes the connection instead of refusing a password",
    remedy: "Check user and password.",
  },
  "sess-stale-live555": {
    what: "Keeps sending to sessions that have ended",
    remedy: "Update the camera's firmware.",
  },
  "sess-crlf": {
    what: "Sends bytes that belong to no message",
    remedy: "Update the camera's firmware.",
  },
  "sess-limit": {
    what: "Refuses more viewers",
    remedy: "Close other apps or recorders that watch this camera.",
  },
  "ka-short": {
    what: "Ends sessions too early",
    remedy: "Nothing to do: khien now speaks up more often.",
  },
  "tr-udp-jumbo": {
    what: "Packets larger than the network's",
    remedy: "Use TCP for this camera.",
  },
  "tr-udp-silent": {
    what: "Nothing arrives by UDP",
    remedy: "A firewall or access point blocks UDP; TCP is used instead.",
  },
  "tr-tls-odd": {
    what: "An unusual certificate",
    remedy: "Check it once; khien remembers it and reports a change.",
  },
  "rtp-ts-reset": {
    what: "Its clock starts again in the middle",
    remedy: "Update the camera's firmware.",
  },
  "rtp-ts-backward": {
    what: "Its clock jumps back",
    remedy: "Set the camera to use one time server.",
  },
  "rtp-ts-step": {
    what: "Its clock jumps",
    remedy: "Set the camera to use one time server.",
  },
  "sr-wrong": {
    what: "Its clock is wrong",
    remedy: "Set the camera's clock, best by a time server.",
  },
  "sub-late": {
    what: "The second stream is late",
    remedy: "Use the main stream for live viewing.",
  },
  "ps-inband-only": {
    what: "The first picture may take long",
    remedy: "Set a shorter key frame interval at the camera.",
  },
  "gop-smart": {
    what: "“Smart Codec”, “H.264+” or “H.265+” is on",
    remedy: "Switch it off at the camera: live view starts slowly and seeking is coarse.",
  },
  "gop-long": {
    what: "Few key frames",
    remedy: "Set the camera's key frame interval to one or two seconds: live view starts slowly.",
  },
  "idr-open": {
    what: "Open groups of pictures",
    remedy: "Set the camera to send IDR pictures (closed GOP): seeking is less exact.",
  },
  bframes: {
    what: "B-frames",
    remedy: "Switch them off at the camera (profile Baseline, or B-frames 0): they cost delay.",
  },
  "h265-only-4k": {
    what: "The full picture is H.265 only",
    remedy: "A browser without H.265 can show the second stream only.",
  },
  "jpeg-2040": {
    what: "JPEG pictures wider than 2040 pixels",
    remedy: "Set the camera to H.264 or H.265, or to a smaller picture.",
  },
};
