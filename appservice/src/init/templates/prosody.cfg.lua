-- For Prosody: put this into a file of conf.d, or at the end of prosody.cfg.lua with
--     Include {{this_file}}
-- It holds a secret: only Prosody may read it.
--
-- Outside of this file, in the global part, Prosody needs
--     component_ports = { {{component_port}} }
--     s2s_secure_auth = true     -- mls-bridge believes the addresses that Prosody shows it, and
--                                -- cannot see how a remote server was authenticated
-- and below Component {{muc_service}} "muc"
--     modules_enabled = { "muc_mam" }     -- what was missed is read from the archive
-- If restrict_room_creation is set there, let {{component}} make rooms.
Component {{component}}
  component_secret = {{secret}}
  -- After a lost connection the new one counts.
  component_conflict_resolve = "kick_old"
