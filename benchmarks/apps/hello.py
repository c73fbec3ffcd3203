"""The floor of a first paint in Streamlit."""

import streamlit as st

st.write("READY")
