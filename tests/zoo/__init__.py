"""Models and training loops in the habits that people have: half of them healthy, half with one fault each."""
