import type { Locator, Page } from 'playwright-core'

/** What a person does without a mouse: goes to a thing by Tab, and presses keys there. */
export interface Keyboard {
  /** Presses Tab until this has the focus, or Shift and Tab where it stands before what has it; throws when they do not come there. */
  readonly tabTo: (wanted: Locator) => Promise<void>
  /** Goes there and presses a key, Enter unless another is named. */
  readonly press: (wanted: Locator, key?: string) => Promise<void>
  /** Goes to a field and writes over what it holds. */
  readonly fill: (field: Locator, text: string) => Promise<void>
  /** Goes to a list of options and types the beginning of one. */
  readonly choose: (list: Locator, beginning: string) => Promise<void>
  /** Goes to the chosen one of a group and on by arrows to the wanted one. */
  readonly check: (wanted: Locator) => Promise<void>
}

const mostTabs = 150
interface Focusable {
  readonly ownerDocument: { readonly activeElement: Focusable | null }
  readonly compareDocumentPosition: (other: Focusable) => number
}

export const keyboardOf = (page: Page): Keyboard => {
  const hasFocus = (wanted: Locator): Promise<boolean> => wanted.evaluate((element: Focusable) => element.ownerDocument.activeElement === element)
  /** Whether it stands before what has the focus: Node.DOCUMENT_POSITION_PRECEDING. */
  const isBefore = (wanted: Locator): Promise<boolean> => wanted.evaluate((element: Focusable) => ((element.ownerDocument.activeElement?.compareDocumentPosition(element) ?? 0) & 2) !== 0)
  const tabTo = async (wanted: Locator): Promise<void> => {
    await wanted.waitFor()
    const key = (await isBefore(wanted)) ? 'Shift+Tab' : 'Tab'
    for (let i = 0; i < mostTabs; i++) {
      if (await hasFocus(wanted)) return
      await page.keyboard.press(key)
    }
    throw new Error(`Tab does not come to ${String(wanted)}`)
  }
  return {
    tabTo,
    press: async (wanted, key = 'Enter') => {
      await tabTo(wanted)
      await page.keyboard.press(key)
    },
    fill: async (field, text) => {
      await tabTo(field)
      await page.keyboard.press('Control+a')
      await page.keyboard.type(text)
    },
    choose: async (list, beginning) => {
      await tabTo(list)
      await page.keyboard.type(beginning)
      const chosen = await list.locator('option:checked').innerText()
      if (!chosen.toLowerCase().startsWith(beginning.toLowerCase())) throw new Error(`typing ${beginning} chose ${chosen}`)
    },
    check: async (wanted) => {
      const name = await wanted.getAttribute('name')
      await tabTo(page.locator(`input[type="radio"][name="${name ?? ''}"]:checked`))
      for (let i = 0; i < 20 && !(await wanted.isChecked()); i++) await page.keyboard.press('ArrowDown')
      if (!(await wanted.isChecked())) throw new Error(`arrows do not come to ${String(wanted)}`)
    },
  }
}
