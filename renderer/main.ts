import { mount } from 'svelte'
import App from './App.svelte'
import './shared/tokens.css'
import './shared/base.css'

mount(App, { target: document.getElementById('app')! })
