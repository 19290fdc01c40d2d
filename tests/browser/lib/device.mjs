// The least device there can be (RFC 8628): registers, asks for a code, and asks what became of it.
import assert from 'node:assert/strict';

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

export class Device {
  static async make(base) {
    const device = new Device();
    device.base = base;
    const registration = { client_name: 'Kitchen display', grant_types: [GRANT] };
    const headers = { 'content-type': 'application/json' };
    const registered = await fetch(`${base}/register`, { method: 'POST', headers, body: JSON.stringify(registration) });
    assert.equal(registered.status, 201);
    device.id = (await registered.json()).client_id;
    const asked = await device.post('/device_authorization', {});
    assert.equal(asked.status, 200);
    const { verification_uri, verification_uri_complete, user_code, device_code } = await asked.json();
    Object.assign(device, { link: verification_uri, linkWithCode: verification_uri_complete, userCode: user_code, code: device_code });
    return device;
  }

  /** What became of it: the tokens, or an `error`. */
  async poll() {
    return (await this.post('/token', { grant_type: GRANT, device_code: this.code })).json();
  }

  post(path, fields) {
    return fetch(this.base + path, { method: 'POST', body: new URLSearchParams({ client_id: this.id, ...fields }) });
  }
}
