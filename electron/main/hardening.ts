import type { Session, WebContents, WebPreferences } from 'electron'

/** The page's only origin. */
export const origin = 'app://cald'

/** A page without Node, apart from its preload script, in Chromium's sandbox. */
export const webPreferences = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webviewTag: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  navigateOnDragDrop: false,
  spellcheck: false,
} as const satisfies WebPreferences

/** No camera, no microphone, no place, no notification asked for by a page; and no address but the app's own: this product has no network. */
export const hardenSession = (session: Session): void => {
  session.setPermissionRequestHandler((_, __, decide) => decide(false))
  session.setPermissionCheckHandler(() => false)
  session.setDevicePermissionHandler(() => false)
  session.webRequest.onBeforeRequest(({ url }, decide) => decide({ cancel: !(url.startsWith(`${origin}/`) || /^(blob:app:\/\/cald\/|data:|devtools:)/.test(url)) }))
}

/** A page stays where it is, opens no window and embeds none. Addresses elsewhere are not opened at all, in no program. */
export const hardenContents = (contents: WebContents): void => {
  contents.setWindowOpenHandler(() => ({ action: 'deny' }))
  for (const event of ['will-navigate', 'will-frame-navigate', 'will-redirect'] as const) {
    contents.on(event as 'will-navigate', (details) => {
      if (!details.url.startsWith(`${origin}/`)) details.preventDefault()
    })
  }
  contents.on('will-attach-webview', (event) => event.preventDefault())
}
