import { existsSync } from 'node:fs'

/** Where Debian, Ubuntu, Fedora and macOS put a chromium; CHROMIUM names another. */
const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium']

export const findChromium = (): string | undefined => [process.env.CHROMIUM, ...places].find((path) => path !== undefined && existsSync(path))
