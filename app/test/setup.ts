import { afterEach } from 'vitest';

if (typeof document !== 'undefined') {
  const { cleanup, configure } = await import('@testing-library/react');
  afterEach(cleanup);
  // What is waited for comes later on a machine that does much else.
  configure({ asyncUtilTimeout: 10_000 });
  // Browsers read files by this; jsdom has only the older way.
  Blob.prototype.text = function () {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result as string);
      reader.onerror = () => reject(new Error('the file cannot be read'));
      reader.readAsText(this);
    });
  };
}
