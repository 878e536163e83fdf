/** Words around every screen. */
export const shell = {
  product: 'CALD Studio',
  places: { home: 'Home', models: 'Models', data: 'Data', convert: 'Convert', runs: 'Runs', compare: 'Compare', settings: 'Settings' },
  navigation: 'Main',
  skip: 'Skip to content',
  underWay: ' under way',
  toTheme: { light: 'Light theme', dark: 'Dark theme' },
  shortcuts: 'Shortcuts',
  lost: 'The connection to the engine closed; it is tried again every second. Runs go on meanwhile.',
  lostServe: ['If ', ' ended, start it again and open the address it prints.'],
  noEngine: 'No engine',
  opening: 'Opening the library …',
  undo: 'Undo',
  dismiss: 'Dismiss',
  runEnded: { done: (name: string): string => `${name} is done; its student is in the library`, failed: (name: string): string => `${name} failed`, interrupted: (name: string): string => `${name} was interrupted; it can be resumed` },
  open: 'Open',
} as const

/** The sheet of shortcuts: keys, and what they do. */
export const shortcuts = {
  title: 'Keyboard shortcuts',
  groups: [
    { name: 'Everywhere', keys: [['1 … 7', 'Home, Models, Data, Convert, Runs, Compare, Settings'], ['?', 'this sheet'], ['Tab', 'the next control; Shift Tab, the one before'], ['Enter', 'open or press what has the focus'], ['Esc', 'close a dialog or a menu']] },
    { name: 'On a waveform', keys: [['Space', 'play or pause'], ['← →', 'a second back or forward; with Shift a tenth of one'], ['Home End', 'to the beginning or the end'], ['+ −', 'closer or further away']] },
    { name: 'In lists', keys: [['↑ ↓', 'the utterance before or after, in Compare’s list'], ['Page ↑ ↓', 'eight of them; in the table of utterances, a screen'], ['Home End', 'the first or the last']] },
    { name: 'Choices side by side', keys: [['← →', 'the choice before or after']] },
  ],
} as const
