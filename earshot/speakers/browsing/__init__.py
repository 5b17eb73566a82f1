"""What pages show of people and voices, a bounded part at a time: no query here grows with the library."""
