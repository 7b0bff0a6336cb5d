// The page below a path: by --web.route-prefix, or behind a proxy of which
// --web.external-url says where it is.
'use strict';

const { execFileSync } = require('child_process');
const { settings, run, eventually, ask, push, groups, assert } = require('./harness');

const group = '/job/below/instance/i';

let page;

run({
	async 'every link stays below the path'(h) {
		await push(settings.outer, group, 'a 1\n');
		page = await h.open({ url: settings.outer });
		const answer = await page.goto(`${settings.outer}/`);
		assert.equal(answer.status(), 200);
		assert.deepEqual(await groups(page), [group]);
		for (const name of ['Live', 'Stream', 'Status', 'Groups']) {
			await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
			await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).and(page.locator('[aria-current]')).waitFor();
			assert.ok(page.url().startsWith(`${settings.outer}/`), page.url());
		}
		await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Status' }).click();
		for (const link of await page.locator('main a').evaluateAll((all) => all.map((a) => a.href))) {
			assert.ok(link.startsWith(`${settings.outer}/`), link);
			assert.equal((await ask('GET', link)).code, 200, link);
		}
		assert.ok((await page.getByTestId('scrape-config').innerText()).includes(new URL(settings.outer).host));
	},

	async 'live events come'() {
		await page.getByRole('link', { name: 'Live' }).click();
		await page.getByTestId('live-state').getByText('live', { exact: true }).waitFor();
		await push(settings.outer, group, 'a 2\n');
		await page.getByTestId('event').getByRole('link').first().click();
		await page.getByTestId('group-head').waitFor();
	},

	async 'the lines have the address that people use'() {
		await page.getByTestId('tab-push').click();
		const line = await page.getByTestId('push-curl').innerText();
		assert.ok(line.includes(`${settings.outer}/metrics${group}`), line);
		execFileSync('sh', ['-ec', line], { stdio: 'pipe', timeout: 60_000 });
		await page.getByTestId('tab-metrics').click();
		await page.getByText('demo_last_success_seconds').waitFor();
	},

	async 'search and delete'() {
		await page.locator('#back').click();
		await page.locator('#q').fill('job=below');
		await page.waitForURL(`${settings.outer}/?search=job=below`);
		await page.getByTestId('group').getByRole('link').click();
		await page.getByTestId('delete-group').click();
		await page.getByTestId('confirm-go').click();
		await page.getByTestId('view').waitFor();
		assert.ok(page.url().startsWith(`${settings.outer}/`), page.url());
		await eventually('no group', () => groups(page), (all) => all.length === 0);
		assert.ok(!(await ask('GET', `${settings.outer}/metrics`)).text.includes('job="below"'));
	},
});
