import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.KHIEN_URL ?? "http://127.0.0.1:8790";

export default defineConfig({
  plugins: [react()],
  build: {
    target: ["chrome107", "firefox115", "safari16.4"],
    // Fonts and pictures stay files: the page's policy knows no data: fonts.
    assetsInlineLimit: 0,
    // A polyfill would be one more script for browsers that are too old anyway.
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { "/api": { target: server, ws: true, secure: false } },
  },
  test: {
    include: ["src/**/*.test.ts", "e2e/**/*.test.mjs"],
    environment: "node",
    // A zone with summer time, so that days of 23 and 25 hours are tested.
    env: { TZ: "Europe/Berlin" },
  },
});
