// Những điểm khác thường của camera: là gì, và cần làm gì.
import type { quirks as english } from "./quirks-en";

export const quirks: typeof english = {
  "url-redirect": {
    what: "Chuyển người xem sang địa chỉ khác",
    remedy: "Hãy nhập thẳng địa chỉ đó.",
  },
  "sdp-pcm-name": {
    what: "Âm thanh ở định dạng không ghi được",
    remedy: "Hãy đặt âm thanh của camera thành G.711 hoặc AAC.",
  },
  "sdp-transport-mp2t": {
    what: "Gửi luồng MPEG transport stream",
    remedy: "Hãy đặt camera gửi RTP với H.264 hoặc H.265; không ghi được transport stream.",
  },
  "auth-basic": {
    what: "Gửi mật khẩu ở dạng đọc được",
    remedy:
      "Hãy bật xác thực Digest hoặc RTSPS trên camera; với Basic, ai trong mạng cũng đọc được mật khẩu.",
  },
  "auth-drop": {
    what: "Ngắt kết nối thay vì báo sai mật khẩu",
    remedy: "Hãy kiểm tra tên người dùng và mật khẩu.",
  },
  "sess-stale-live555": {
    what: "Vẫn gửi cho những phiên đã kết thúc",
    remedy: "Hãy cập nhật phần mềm của camera.",
  },
  "sess-crlf": {
    what: "Gửi những byte không thuộc bản tin nào",
    remedy: "Hãy cập nhật phần mềm của camera.",
  },
  "sess-limit": {
    what: "Không nhận thêm người xem",
    remedy: "Hãy đóng các ứng dụng hoặc đầu ghi khác đang xem camera này.",
  },
  "ka-short": {
    what: "Kết thúc phiên quá sớm",
    remedy: "Không cần làm gì: khien nay giữ liên lạc thường xuyên hơn.",
  },
  "tr-udp-jumbo": {
    what: "Gói tin lớn hơn mức của mạng",
    remedy: "Hãy dùng TCP cho camera này.",
  },
  "tr-udp-silent": {
    what: "Không nhận được gì qua UDP",
    remedy: "Tường lửa hoặc bộ phát Wi-Fi chặn UDP; khien dùng TCP thay thế.",
  },
  "tr-tls-odd": {
    what: "Chứng thư khác thường",
    remedy: "Hãy kiểm tra một lần; khien ghi nhớ và báo khi nó thay đổi.",
  },
  "rtp-ts-reset": {
    what: "Đồng hồ bắt đầu lại giữa chừng",
    remedy: "Hãy cập nhật phần mềm của camera.",
  },
  "rtp-ts-backward": {
    what: "Đồng hồ nhảy lùi",
    remedy: "Hãy đặt camera dùng một máy chủ giờ duy nhất.",
  },
  "rtp-ts-step": {
    what: "Đồng hồ bị nhảy",
    remedy: "Hãy đặt camera dùng một máy chủ giờ duy nhất.",
  },
  "sr-wrong": {
    what: "Đồng hồ sai giờ",
    remedy: "Hãy đặt lại giờ của camera, tốt nhất là theo máy chủ giờ.",
  },
  "sub-late": {
    what: "Luồng thứ hai bị trễ",
    remedy: "Hãy dùng luồng chính để xem trực tiếp.",
  },
  "ps-inband-only": {
    what: "Hình đầu tiên có thể đến chậm",
    remedy: "Hãy đặt khoảng cách khung hình chính ngắn hơn trên camera.",
  },
  "gop-smart": {
    what: "Đang bật “Smart Codec”, “H.264+” hoặc “H.265+”",
    remedy: "Hãy tắt trên camera: xem trực tiếp bắt đầu chậm và tua không chính xác.",
  },
  "gop-long": {
    what: "Ít khung hình chính",
    remedy:
      "Hãy đặt khoảng cách khung hình chính của camera từ một đến hai giây: xem trực tiếp bắt đầu chậm.",
  },
  "idr-open": {
    what: "Nhóm hình mở",
    remedy: "Hãy đặt camera gửi hình IDR (GOP đóng): tua kém chính xác hơn.",
  },
  bframes: {
    what: "Có khung hình B",
    remedy: "Hãy tắt trên camera (profile Baseline, hoặc B-frames 0): chúng làm tăng độ trễ.",
  },
  "h265-only-4k": {
    what: "Hình đầy đủ chỉ có ở H.265",
    remedy: "Trình duyệt không có H.265 chỉ hiển thị được luồng thứ hai.",
  },
  "jpeg-2040": {
    what: "Hình JPEG rộng hơn 2040 điểm ảnh",
    remedy: "Hãy đặt camera dùng H.264 hoặc H.265, hoặc hình nhỏ hơn.",
  },
};
