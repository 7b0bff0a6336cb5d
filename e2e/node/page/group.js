// One group: what was pushed, by whom, what was refused, the lines that push to it
// and delete it, and that nothing in it is taken for HTML.
'use strict';

const { execFileSync } = require('child_process');
const http = require('http');
const { settings, run, picture, eventually, ask, push, groups, assert } = require('./harness');

const batch = '/job/batch/instance/node-1';
const script = '<script>alert(1)</script><img src=x onerror=alert(2)>';
const encoded = (text) => Buffer.from(text).toString('base64url');
// A value that a shell, a URL and HTML each would take apart.
const awkward = `it's "<b>$(id)</b>" & 100% \`a\` \\ #?/é`;

let page;

const open = (h, group, tab) => h.go(page, `?group=${encodeURIComponent(group)}${tab ? `&tab=${tab}` : ''}`);
const metrics = async () => (await ask('GET', `${settings.url}/metrics`)).text;

// pushFrom pushes from another address of this machine.
function pushFrom(localAddress, group, body, method = 'PUT') {
	return new Promise((resolve, reject) => {
		const request = http.request(`${settings.url}/metrics${group}`, { method, localAddress }, (answer) => {
			answer.resume().on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))));
		});
		request.on('error', reject).end(body);
	});
}

// shell runs a line as the page shows it.
function shell(line) {
	return execFileSync('sh', ['-ec', line], { encoding: 'utf8', timeout: 60_000, stdio: 'pipe', env: { ...process.env, PATH: `${settings.tools}:${process.env.PATH}` } });
}

// line is a command of the page, as it would be copied.
const line = (id) => page.getByTestId(id).innerText();

run({
	async 'families with type, help and samples'(h) {
		page = await h.open();
		await h.go(page);
		await page.getByTestId('group').getByRole('link').first().click();
		await page.getByTestId('group-head').waitFor();
		assert.equal(await page.getByTestId('group-head').getAttribute('data-group'), batch);
		const family = (name) => page.getByTestId('family').filter({ has: page.locator(`h2 code:text-is("${name}")`) });
		const runs = await family('runs_total').innerText();
		assert.match(runs, /counter[^]*Runs by result\.[^]*result="failed"[^]*2[^]*result="ok"[^]*1,234,567/);
		assert.match(await family('wait_seconds').innerText(), /summary[^]*0\.5/);

		const classic = family('request_seconds');
		assert.match(await classic.innerText(), /histogram[^]*Time of a request\.[^]*count 201/);
		assert.equal(await classic.locator('rect.column').count(), 5);
		const heights = await classic.locator('rect.column').evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().height));
		assert.ok(Math.max(...heights) > 50, `bars of ${heights} pixels`);
		const native = family('request_native_seconds');
		assert.match(await native.innerText(), /count 201[^]*native, schema \d/);
		assert.ok(await native.locator('rect.column').count() > 10);
		await native.getByText(/\d+ buckets/).click();
		const observations = await native.locator('td.num').allInnerTexts();
		assert.equal(observations.reduce((sum, n) => sum + Number(n), 0), 201);
		await native.getByText(/\d+ buckets/).click();
		await picture(page, 'histograms-light');
	},

	async 'a refusal with its reason'(h) {
		await push(settings.url, batch, 'runs_total 1\nruns_total 2\n', { code: 400 });
		await eventually('the notice, without loading the page anew', () => page.getByTestId('refusal').count(), (n) => n === 1);
		assert.match(await page.getByTestId('refusal').innerText(), /The last push was refused[^]*runs_total/);
		await picture(page, 'refused-light');
	},

	async 'who pushes, and that two overwrite each other'(h) {
		const group = '/job/contended';
		await pushFrom('127.0.0.1', group, 'a 1\n');
		await pushFrom('127.0.0.2', group, 'a 2\n');
		await open(h, group);
		assert.equal(await page.getByTestId('contended').count(), 0);
		assert.equal(await page.getByTestId('several').count(), 1);
		await pushFrom('127.0.0.1', group, 'a 3\n');
		await page.reload();
		assert.equal(await page.getByTestId('contended').count(), 1);
		assert.match(await page.getByTestId('pushers').innerText(), /http 127\.0\.0\.1 .*2 pushes\s+http 127\.0\.0\.2 /);
		await h.go(page, '?search=contended');
		await page.getByTestId('group').getByText('two pushers').waitFor();
	},

	async 'the lines that are shown work as they are'(h) {
		const group = `/job@base64/${encoded(awkward)}/instance/i`;
		await push(settings.url, `${group}?ttl=90m`, 'first 1\n');
		for (const way of ['curl', 'sluice', 'nats']) {
			await h.go(page, '?search=instance=i');
			await page.getByTestId('group').getByRole('link').click();
			await page.getByTestId('tab-push').click();
			shell(await line(`push-${way}`));
			const { data } = JSON.parse((await ask('GET', `${settings.url}/api/v1/groups?search=instance=i`)).text);
			assert.equal(data.groups[0].ttl_seconds, 5400, `${way}: the time to live is another one`);
			await page.getByTestId('tab-metrics').click();
			await page.getByText('demo_last_success_seconds').waitFor();
			await page.getByTestId('tab-push').click();
			shell(await line(`delete-${way}`));
			assert.ok(!(await metrics()).includes('demo_last_success_seconds'), `${way}: the group is still scraped`);
			await push(settings.url, `${group}?ttl=90m`, 'first 1\n');
		}
		await picture(page, 'lines-light');
	},

	async 'delete, after a question'(h) {
		await open(h, batch);
		await page.getByTestId('delete-group').click();
		await page.getByTestId('confirm').getByText('Delete this group?').waitFor();
		assert.equal(await page.locator('#confirm-list').innerText(), batch);
		await picture(page, 'delete-light');
		await page.keyboard.press('Escape');
		await page.locator('dialog[open]').waitFor({ state: 'detached' });
		assert.ok((await metrics()).includes('job="batch"'), 'deleted by a dialog that was left');
		assert.equal(await page.evaluate(() => document.activeElement.id), 'delete-group', 'the focus is back where it was');

		await page.keyboard.press('Enter');
		await page.getByTestId('confirm-go').click();
		await page.getByTestId('view').waitFor();
		assert.ok(!(await metrics()).includes('job="batch"'), 'the group is still scraped');
		assert.ok(!(await groups(page)).includes(batch));
	},

	async 'what looks like HTML is shown as it is, and runs nowhere'(h) {
		const group = `/job@base64/${encoded(script)}/instance@base64/${encoded('"><svg onload=alert(3)>')}`;
		const text = `# HELP harmless ${script}\n# TYPE harmless gauge\nharmless{l="${script}"} 1\n`;
		await push(settings.url, group, text);
		await push(settings.url, group, `harmless{l="${script}"} 1\nharmless{l="${script}"} 2\n`, { code: 400 });
		const watching = await page.context().newPage();
		await h.go(watching, 'live');
		await watching.getByTestId('live-state').getByText('live').waitFor();
		await push(settings.url, group, text);
		await watching.getByTestId('event').getByText(script).waitFor();
		await watching.close();

		await push(settings.url, group, `harmless{l="${script}"} 1\nharmless{l="${script}"} 2\n`, { code: 400 });
		await h.go(page, `?search=${encodeURIComponent('job~script')}`);
		const row = page.getByTestId('group');
		assert.ok((await row.innerText()).includes(script));
		assert.ok((await page.getByTestId('why').innerText()).includes('harmless'));
		await picture(page, 'script-light');
		await row.getByRole('link').click();
		await page.getByTestId('family').waitFor();
		const shown = await page.locator('main').innerText();
		assert.ok(shown.split(script).length > 4, `in label, help and refusal: ${shown}`);
		for (const tab of ['history', 'push']) {
			await page.getByTestId(`tab-${tab}`).click();
			await page.locator(`[data-testid=tab-${tab}][aria-current]`).waitFor();
		}
		await page.getByTestId('tab-metrics').click();
		await page.getByTestId('delete-group').click();
		assert.equal(await page.locator('main script, main img, main [onload], main [onerror], dialog img, dialog script').count(), 0);
		await page.getByTestId('confirm-go').click();
		await page.getByTestId('view').waitFor();
		await h.go(page, `?search=${encodeURIComponent(`"${script}`)}`);
		await page.getByTestId('empty').waitFor();
		assert.equal(await page.locator('#q').inputValue(), `"${script}`);
	},

	async 'a group that is not there'(h) {
		h.expected.push(/status of 404/);
		const answer = await page.goto(`${settings.url}/?group=/job/nobody`);
		assert.equal(answer.status(), 404);
		await page.getByText('There is no group /job/nobody').waitFor();
	},
});
