-- Whether anybody can have an address there, so that the host says nothing of where a person works. The large ones; one that
-- is missing gives an organization an odd name, which its owner changes.

set role tally_owner;

create or replace function app.is_public_mail_host(p_host text) returns boolean
  language sql immutable set search_path = ''
as $$
  select
    p_host in (
      'gmail.com', 'googlemail.com', 'icloud.com', 'me.com', 'mac.com', 'aol.com', 'msn.com', 'ymail.com', 'rocketmail.com',
      'proton.me', 'protonmail.com', 'protonmail.ch', 'pm.me', 'tutanota.com', 'tutanota.de', 'tuta.com', 'tuta.io',
      'fastmail.com', 'fastmail.fm', 'hey.com', 'zoho.com', 'zohomail.com', 'mail.com', 'email.com', 'inbox.com', 'hushmail.com',
      'mailbox.org', 'posteo.de', 'posteo.net', 'web.de', 't-online.de', 'freenet.de', 'arcor.de', 'bluewin.ch',
      'orange.fr', 'wanadoo.fr', 'free.fr', 'sfr.fr', 'laposte.net', 'libero.it', 'virgilio.it', 'tiscali.it', 'alice.it',
      'btinternet.com', 'btopenworld.com', 'sky.com', 'talktalk.net', 'virginmedia.com', 'ntlworld.com', 'blueyonder.co.uk',
      'comcast.net', 'verizon.net', 'att.net', 'sbcglobal.net', 'bellsouth.net', 'cox.net', 'charter.net', 'earthlink.net',
      'rogers.com', 'shaw.ca', 'sympatico.ca', 'telus.net', 'videotron.ca', 'bigpond.com', 'bigpond.net.au', 'optusnet.com.au',
      'mail.ru', 'bk.ru', 'inbox.ru', 'list.ru', 'internet.ru', 'rambler.ru', 'ukr.net', 'seznam.cz', 'centrum.cz',
      'wp.pl', 'o2.pl', 'onet.pl', 'interia.pl', 'abv.bg', 'qq.com', 'foxmail.com', '163.com', '126.com', 'yeah.net', 'sina.com',
      'sohu.com', '139.com', '189.cn', 'aliyun.com', 'naver.com', 'daum.net', 'hanmail.net', 'rediffmail.com', 'docomo.ne.jp',
      'uol.com.br', 'bol.com.br', 'terra.com.br', 'ziggo.nl', 'kpnmail.nl', 'planet.nl', 'telenet.be', 'skynet.be',
      -- Those that hide the address proper.
      'privaterelay.appleid.com', 'users.noreply.github.com', 'mozmail.com', 'duck.com', 'passmail.net', 'simplelogin.com',
      'mailinator.com', 'yopmail.com', 'guerrillamail.com'
    )
    -- Those that have one for each country.
    or p_host ~ '^(yahoo|hotmail|live|outlook|gmx|yandex)[.](com|net|[a-z]{2}|com[.][a-z]{2}|co[.][a-z]{2})$'
$$;

comment on function app.is_public_mail_host(text) is 'Whether anybody can have an address at this host';

reset role;
