/** Saves a text as a file, exactly as it is. */
export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read by the time that this task ends.
  setTimeout(() => URL.revokeObjectURL(url), 0);
}
