const WEI_DIGITS = 18;

/** Wei of a token, exactly: no digit is lost, and no zero is added. Thousands are separated by thin spaces. */
export function formatWei(wei: bigint, unit = 'ETH'): string {
  const sign = wei < 0n ? '-' : '';
  const digits = (wei < 0n ? -wei : wei).toString().padStart(WEI_DIGITS + 1, '0');
  const whole = digits.slice(0, -WEI_DIGITS).replace(/\B(?=(\d{3})+$)/g, '\u202f');
  const rest = digits.slice(-WEI_DIGITS).replace(/0+$/, '');
  return `${sign}${whole}${rest ? `.${rest}` : ''} ${unit}`;
}
