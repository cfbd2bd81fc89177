/** Which mail addresses are taken: those that can stand in an SMTP command and a header without quoting. */

const LOCAL = /^[^\s@<>()[\],;:\\"\p{Cc}\p{Cf}]{1,64}$/u;
const DOMAIN =
  /^(?=.{1,253}$)[\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?(\.[\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?)+$/u;
const MAX_LENGTH = 254;

/** RFC 5321 without quoted local parts and address literals, which nobody has and many attacks need. */
export function isAddress(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  const at = text.lastIndexOf("@");
  return at > 0 && LOCAL.test(text.slice(0, at)) && DOMAIN.test(text.slice(at + 1));
}

/** What two spellings of one mailbox have in common, as far as nobody but its own server can know more. */
export const sameAddress = (address: string) => address.trim().toLowerCase();
