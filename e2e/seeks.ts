import type { Page } from 'playwright-core'

/**
 * Notes in the page's `began` where the player has been put, in seconds, each time it has gone somewhere. It plays as slowly as it can meanwhile: on a busy machine that news comes late, and the
 * place would have moved on.
 */
export const listenForSeeks = (page: Page): Promise<void> =>
  page.evaluate('window.began = []; document.querySelector("audio").playbackRate = 0.0625; document.querySelector("audio").addEventListener("seeked", ({ target }) => began.push(target.currentTime))')
