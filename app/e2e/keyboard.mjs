// What a person does without a mouse: Tab, Enter, Space and the arrows, and an eye for where the focus is.
import assert from 'node:assert/strict';

/** Nobody presses Tab more often than this to find something. */
const PATIENCE = 120;

/** Ways to use a page with the keyboard alone. */
export function keyboard(page) {
  const hasFocus = (target) => target.evaluate((element) => element === document.activeElement);

  /** Goes on with Tab until the target has the focus, which must be seen. */
  async function reach(target) {
    await target.waitFor();
    for (let tries = 0; tries < PATIENCE && !(await hasFocus(target)); tries += 1)
      await page.keyboard.press('Tab');
    assert.ok(await hasFocus(target), `${target} cannot be reached with the Tab key`);
    await assertSeen(target);
  }

  async function press(target) {
    await reach(target);
    await page.keyboard.press('Enter');
  }

  /** Check boxes and radio buttons. A group of radio buttons is one place for Tab; inside, arrows go on. */
  async function choose(target) {
    if ((await target.getAttribute('role')) !== 'radio') {
      await reach(target);
      await page.keyboard.press('Space');
      return;
    }
    const group = page.getByRole('radiogroup').filter({ has: target });
    await target.waitFor();
    const inGroup = () => group.evaluate((element) => element.contains(document.activeElement));
    for (let tries = 0; tries < PATIENCE && !(await inGroup()); tries += 1) await page.keyboard.press('Tab');
    for (let tries = 0; tries < 20 && !(await hasFocus(target)); tries += 1) {
      await page.keyboard.press('ArrowDown');
      // The group moves the focus in a task of its own, which was queued before this one.
      await page.evaluate(() => new Promise((done) => setTimeout(done)));
    }
    assert.ok(await hasFocus(target), `${target} cannot be reached with Tab and arrows`);
    await assertSeen(target);
    if ((await target.getAttribute('aria-checked')) !== 'true') await page.keyboard.press('Space');
    assert.equal(await target.getAttribute('aria-checked'), 'true');
  }

  /** To another part of the app, by the menu. */
  async function go(name) {
    await press(page.getByRole('navigation').getByRole('link', { name, exact: true }));
  }

  return { reach, press, choose, go };
}

/** The focus is shown: by an outline or a shadow that is not there without it. */
async function assertSeen(target) {
  const { outline, shadow, inside } = await target.evaluate((element) => {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return {
      outline: style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2,
      shadow: style.boxShadow !== 'none',
      inside: box.bottom > 0 && box.top < window.innerHeight,
    };
  });
  assert.ok(outline || shadow, `the focus on ${target} cannot be seen`);
  assert.ok(inside, `${target} has the focus outside of the window`);
}
