//! What the demo says around its messages: what there is, and how to send the next one.

use super::world::World;
use crate::sdk_proxy::Trust;

/// Never a real handset.
const NEXT_RECIPIENT: &str = "+447700900142";

pub(super) fn heading(world: &World) -> String {
    let (name, senders) = (&world.service.friendly_name, world.senders.join(", "));
    format!(
        "Postrider's demo world: everything goes to a simulated carrier, nothing to a real phone.\n\
         Messaging Service {name} chooses for each message one of\n  {senders}\n"
    )
}

pub(super) fn next_steps(world: &World, url: &str, trust: &Trust) -> String {
    let bundle = trust.bundle.display();
    let (account, token, service) = (world.account.sid, &world.token, world.service.sid);
    format!(
        "
URL                {url}
account SID        {account}
auth token         {token}
Messaging Service  {service}

Send the next message:

  curl {url}/2010-04-01/Accounts/{account}/Messages.json \\
    -u {account}:{token} \\
    -d MessagingServiceSid={service} \\
    --data-urlencode To={NEXT_RECIPIENT} \\
    --data-urlencode Body='Hello from Postrider'

or in Python, with Twilio's SDK (pip install twilio):

  from twilio.rest import Client
  client = Client(\"{account}\", \"{token}\")
  for product in (\"accounts\", \"api\", \"messaging\", \"monitor\"):
      getattr(client, product).base_url = \"{url}/\" + product
  client.messages.create(
      messaging_service_sid=\"{service}\", to=\"{NEXT_RECIPIENT}\", body=\"Hello\"
  )

or with a program as it is, which knows nothing of Postrider:

  HTTPS_PROXY={url} REQUESTS_CA_BUNDLE={bundle} \\
    TWILIO_ACCOUNT_SID={account} TWILIO_AUTH_TOKEN={token} python app.py

Ask why a message has its sender:

  TWILIO_ACCOUNT_SID={account} TWILIO_AUTH_TOKEN={token} postrider explain SM... --url {url}

What becomes of it is shown here. Ctrl-C stops."
    )
}
