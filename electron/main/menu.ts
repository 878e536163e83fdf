import { Menu, type MenuItemConstructorOptions } from 'electron'

export interface MenuActions {
  /** Leads the window to a place of the app. */
  readonly go: (place: string) => void
  readonly chooseLibrary: () => void
}

const places = ['Home', 'Models', 'Data', 'Convert', 'Runs', 'Compare', 'Settings'] as const

export const menuTemplate = ({ go, chooseLibrary }: MenuActions, platform: NodeJS.Platform): MenuItemConstructorOptions[] => [
  ...(platform === 'darwin' ? [{ role: 'appMenu' } as const] : []),
  {
    label: 'File',
    submenu: [{ label: 'Open another library …', click: chooseLibrary }, { type: 'separator' }, platform === 'darwin' ? { role: 'close' } : { role: 'quit' }],
  },
  { role: 'editMenu' },
  {
    label: 'Go',
    submenu: places.map((label, i) => ({ label, accelerator: `CmdOrCtrl+${i + 1}`, click: () => go(`/${label.toLowerCase()}`) })),
  },
  { label: 'View', submenu: [{ role: 'resetZoom' }, { role: 'zoomIn' }, { role: 'zoomOut' }, { type: 'separator' }, { role: 'togglefullscreen' }] },
  { role: 'windowMenu' },
]

export const setMenu = (actions: MenuActions): void => Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(actions, process.platform)))
