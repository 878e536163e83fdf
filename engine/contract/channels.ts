/** Channels between the desktop's preload script and main. Apart, so that the preload script holds nothing else. */
export const channels = { ask: 'cald:ask', message: 'cald:message', connection: 'cald:connection', place: 'cald:place', pick: 'cald:pick', dropped: 'cald:dropped', reveal: 'cald:reveal' } as const
